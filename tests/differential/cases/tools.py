"""tool: which arguments are sent for each kind of input, and what a reply becomes."""

from typing import Any

from tests.differential.cases.build import form
from tests.differential.job import Job
from tests.graphs import Json, end, graph, node, template

_INPUTS: Json = {"q": "x y", "n": 3, "o": {"a": [1]}, "f": True}
_SCHEMAS: dict[str, Json] = {"text": {"type": "string"}, "any": {}, "count": {"type": "number"}}


def tool(parameters: Json, reply: Json | None = None, required: tuple[str, ...] = (), **data: Any) -> Job:
    """A tool with the parameters `text`, `any` and `count`."""
    whole = {
        "provider_id": "p", "provider_type": "api", "provider_name": "p", "tool_name": "t", "tool_label": "T",
        "tool_configurations": {}, "tool_parameters": parameters, "tool_node_version": "2", **data,
    }  # fmt: skip
    shown = {"text": ["n", "text"], "json": ["n", "json"], "files": ["n", "files"]}
    nodes = [form(**_INPUTS), node("n", "tool", **whole)]
    edges: list[tuple[str, ...]] = [("start", "n"), ("n", "end")]
    if data.get("error_strategy") == "fail-branch":
        nodes += [template("bad", "bad")]
        edges += [("n", "bad", "fail-branch"), ("bad", "end")]
        shown["bad"] = ["bad", "output"]
    replies = {
        "parameters": _SCHEMAS,
        "required": required,
        "body": "ok",
        "type": "text/plain",
        **(reply or {}),
    }
    return Job(graph([*nodes, end(**shown)], *edges), _INPUTS, tools={"t": replies})


def value_of(kind: str, value: Any) -> Json:
    return {"type": kind, "value": value}


def reply(body: str, kind: str = "application/json") -> Job:
    return tool({}, {"body": body, "type": kind})


_FAILS = {"body": "no", "status": 500}
_BODIES = (
    *('{"a": 1}', "{}", '{"a": {"b": null}, "c": "ü"}', "[]"),
    *('"text"', "3", "null", "true"),
)

CASES: dict[str, Job] = {
    "no parameters": tool({}),
    "a text": tool({"text": value_of("mixed", "say {{#start.q#}} and {{#start.n#}}")}),
    "a constant": tool({"text": value_of("constant", "c {{#start.q#}}")}),
    "a variable": tool({"any": value_of("variable", ["start", "q"])}),
    "a variable of each type": tool(
        {"any": value_of("variable", ["start", "o"]), "count": value_of("variable", ["start", "n"])}
    ),
    "a variable that is missing": tool({"any": value_of("variable", ["start", "nothing"])}),
    "a text with one that is missing": tool({"text": value_of("mixed", "a {{#start.nothing#}} b")}),
    "a text with a flag": tool({"text": value_of("mixed", "{{#start.f#}}")}),
    "an empty text": tool({"text": value_of("mixed", "")}),
    "a number as text": tool({"text": value_of("mixed", "{{#start.n#}}")}),
    **{f"JSON: {body}": reply(body) for body in _BODIES},
    "plain text": reply("just so", "text/plain"),
    "HTML": reply("<p>x</p>", "text/html"),
    "an empty reply": reply("", "text/plain"),
    "it fails": tool({}, _FAILS),
    "it fails, fail-branch": tool({}, _FAILS, error_strategy="fail-branch"),
    "it does not fail, fail-branch": tool({}, error_strategy="fail-branch"),
    "it fails, default-value": tool(
        {},
        _FAILS,
        error_strategy="default-value",
        default_value=[{"key": "text", "type": "string", "value": "d"}],
    ),
}
