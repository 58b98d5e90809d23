"""What published workflows ask of the world: inputs for their forms, providers for what they name."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.models import Dataset
from schemas.nodes.start import InputType
from streams.executors.outcome import NodeCall
from tests.differential.canned_tools import apply_provider, operation
from tests.differential.hopline_process import Hopline
from tests.graphs import Json
from transport.definitions import Definitions
from transport.files import StoredFile

_CONTENT = b'{"text": "text"}'
_NUMBERS: Mapping[str, Any] = {"number": 1, "array[number]": [1], "boolean": True, "bool": True,
                               "array[boolean]": [True], "object": {}, "array[object]": [{}]}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Canned:
    """What the world says: one text in forms, one that models write, one for what is a single word."""

    text: str
    written: str
    word: str

    def of_type(self, kind: str) -> Any:
        """A value of a type of the DSL; one that is not known here is a text."""
        if kind == "array[string]":
            return [self.word]
        return _NUMBERS.get(kind, self.word)


def worlds(url: str) -> Sequence[Canned]:
    """What a workflow makes of the replies of others cannot be told from its file, so several are tried:
    plain text, a JSON object, a URL that leads somewhere."""
    text = "A short text about nothing much."
    return (
        Canned(text, text, "text"),
        Canned(text, '{"text": "text", "result": ["text"]}', "text"),
        Canned(f"{url}/a.txt", f"{url}/a.txt", f"{url}/a.txt"),
    )


def uploaded(hopline: Hopline) -> Json:
    """Type of file -> a file of it. Each is a text, whatever it is called, and one that is JSON, too."""
    names = {"document": "a.txt", "image": "a.png", "audio": "a.mp3", "video": "a.mp4", "custom": "a.txt"}
    files = {
        kind: StoredFile(
            id=kind,
            tenant_id="tenant",
            filename=name,
            mime_type="text/plain",
            size=len(_CONTENT),
            created_at=0,
        )
        for kind, name in names.items()
    }
    return {kind: {**hopline.save(file, _CONTENT), "type": kind} for kind, file in files.items()}


def form_inputs(graph: Json, canned: Canned, url: str, files: Json) -> Json:
    """A value for every field of the start node."""
    fields = [field for node in _nodes(graph, "start") for field in node["data"].get("variables") or ()]
    return {field["variable"]: _input(field, canned, url, files) for field in fields}


def answers(graph: Json, canned: Canned) -> Json:
    """The first action of each form, whatever it asks for."""
    return {
        node["id"]: {
            "action": next((one["id"] for one in node["data"].get("user_actions") or ()), None),
            "inputs": {one["output_variable_name"]: canned.word for one in node["data"].get("inputs") or ()},
        }
        for node in _nodes(graph, "human-input")
    }


def environment(variables: Sequence[Json], canned: Canned) -> list[Json]:
    """The secrets are there, which Dify leaves out of what it exports."""
    return [{**one, "value": one["value"] or canned.word} if _is_secret(one) else one for one in variables]


def _is_secret(variable: Json) -> bool:
    return bool(variable["value_type"] == "secret")


def _input(field: Json, canned: Canned, url: str, files: Json) -> Any:
    match field["type"]:
        case InputType.NUMBER:
            return 1
        case InputType.CHECKBOX:
            return True
        case InputType.SELECT:
            return (field.get("options") or [""])[0]
        case InputType.JSON_OBJECT | InputType.OBJECT:
            return {}
        case InputType.FILE:
            return _file(field, url, files)
        case InputType.FILE_LIST:
            return [_file(field, url, files)]
        case _:
            return canned.text[: field.get("max_length") or None]


def _file(field: Json, url: str, files: Json) -> Json:
    """A document if the field takes one: more nodes can read it than can see a picture."""
    kinds = field.get("allowed_file_types") or ["document"]
    kind = "document" if "document" in kinds else kinds[0]
    extension = next(iter(field.get("allowed_file_extensions") or [".txt"])).lower()
    methods = field.get("allowed_file_upload_methods") or ["local_file"]
    if "local_file" in methods:
        stored: Json = files[kind]
        return {**stored, "extension": extension} if kind == "custom" else stored
    target = f"{url}/a.{extension.removeprefix('.')}?type=text/plain&body=text"
    return {"type": kind, "transfer_method": methods[0], "url": target, "extension": extension}


def configure(definitions: Definitions, graph: Json, url: str) -> None:
    """Providers of all tools and datasets that the graph names, with what is known of them from the graph."""
    tools: dict[str, dict[str, Json]] = {}
    for provider, tool, parameters in _tools(graph):
        tools.setdefault(provider, {})[tool] = parameters
    for provider, operations in tools.items():
        known = {name: operation({key: {} for key in given}) for name, given in operations.items()}
        apply_provider(definitions, provider, known, url)
    for node in _nodes(graph, "knowledge-retrieval"):
        for name in node["data"].get("dataset_ids") or ():
            place: Json = {"kind": "external", "endpoint": url, "knowledge_id": name}
            dataset = Dataset(id=name, name=name, tenant_id="tenant", **place)
            definitions.apply("definitions.datasets", name, dataset)


def placed(call: NodeCall, url: str) -> NodeCall:
    """The call, of a model whose name says which node asks, or of a URL of ours."""
    config = dict(call.config)
    if isinstance(config.get("model"), Mapping):
        config["model"] = {**config["model"], "name": f"{call.node_type} {call.node_id}"}
    if call.node_type == "http-request":
        config["url"] = f"{url}/api"
    return replace(call, config=config)


def model_reply(data: Json, canned: Canned) -> Json:
    """What the model of a node says: something that the node can read."""
    match data["type"]:
        case "question-classifier":
            first = data["classes"][0]
            return {"text": json.dumps({"category_id": first["id"], "category_name": first["name"]})}
        case "parameter-extractor":
            found = {one["name"]: canned.of_type(one["type"]) for one in data.get("parameters") or ()}
            return {"text": json.dumps(found)}
        case "llm" if data.get("structured_output_enabled"):
            schema = (data.get("structured_output") or {}).get("schema") or {}
            return {"text": json.dumps(_instance(schema, canned))}
        case _:
            return {"text": canned.written}


def code_outputs(config: Mapping[str, Any], canned: Canned) -> Json:
    """Values of the declared types, for a script that makes nothing of the replies above."""
    return {name: canned.of_type(output["type"]) for name, output in (config.get("outputs") or {}).items()}


def _nodes(graph: Json, kind: str) -> Iterator[Json]:
    return (node for node in graph["nodes"] if node.get("data", {}).get("type") == kind)


def _tools(graph: Json) -> Iterator[tuple[str, str, Json]]:
    """(provider, tool, its parameters)."""
    for node in _nodes(graph, "tool"):
        data = node["data"]
        given = {**(data.get("tool_configurations") or {}), **(data.get("tool_parameters") or {})}
        yield data["provider_id"], data["tool_name"], given
    for node in _nodes(graph, "agent"):
        parameters = node["data"].get("agent_parameters") or {}
        chosen = parameters.get("tools") if isinstance(parameters, dict) else None
        for tool in (chosen or {}).get("value") or ():
            yield tool["provider_name"], tool["tool_name"], tool.get("parameters") or {}


def _instance(schema: Mapping[str, Any], canned: Canned) -> Any:
    """A small value that a schema takes."""
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: _instance(one, canned) for name, one in (schema.get("properties") or {}).items()}
        case "array":
            return [_instance(schema.get("items") or {}, canned)] * max(schema.get("minItems", 1), 1)
        case "number" | "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return canned.word.ljust(schema.get("minLength", 0), ".")
