"""The llm node: its prompts to a model, the reply as its outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.executors.errors import NodeExecutorError
from streams.executors.models.client import ChatModel
from streams.executors.models.completion import Completion
from streams.executors.models.finding import Models
from streams.executors.models.messages import ChatRequest, Message, Part
from streams.executors.models.node_errors import LLMNodeError
from streams.executors.models.pictures import SaveFile, keep, with_pictures
from streams.executors.models.prompting import (
    Media,
    ReadFile,
    as_messages,
    as_text,
    recent,
    shown,
    with_files,
    without_empty,
)
from streams.executors.models.reasoning import separated, tagged
from streams.executors.models.structured import checked_schema, in_words, response_format, structured
from streams.executors.outcome import NodeCall, Outcome, failure

_HISTORIES = "{{#histories#}}"

Config = Mapping[str, Any]


@dataclass(slots=True)
class Progress:
    """What there is to show of a node, whichever way it ends."""

    process_data: dict[str, Any] = field(default_factory=dict)
    execution_metadata: dict[str, Any] = field(default_factory=dict)

    def asks(self, model: ChatModel, config: Config, messages: tuple[Message, ...]) -> None:
        """The model is about to be asked."""
        self.process_data |= {
            "model_mode": model.mode,
            "prompts": shown(messages),
            "usage": None,
            "model_provider": config["model"]["provider"],
            "model_name": config["model"]["name"],
        }

    def answered(self, reply: Completion) -> None:
        """It was paid for, even if the reply is of no use."""
        self.process_data |= {"usage": reply.usage.as_json(), "finish_reason": reply.finish_reason}
        self.execution_metadata = reply.usage.metadata()

    def failed(self, error: NodeExecutorError, outputs: dict[str, Any] | None = None) -> Outcome:
        """The outcome of a node that `error` ends."""
        return failure(
            error,
            outputs=outputs or {},
            process_data=self.process_data,
            execution_metadata=self.execution_metadata,
        )


class LLMExecutor:
    """A `NodeExecutor`. `config` is what `streams.engine.nodes.llm` describes."""

    def __init__(self, models: Models, read_file: ReadFile, save_file: SaveFile) -> None:
        self._models = models
        self._read_file = read_file
        self._save_file = save_file

    async def __call__(self, call: NodeCall) -> Outcome:
        """Its outputs are `text`, `reasoning_content`, `usage`, `finish_reason`, and `structured_output`
        where one is asked for; and `files` where the model has drawn some."""
        progress = Progress()
        try:
            return await self._answer(call, progress)
        except NodeExecutorError as error:
            return progress.failed(error)

    async def _answer(self, call: NodeCall, progress: Progress) -> Outcome:
        config = call.config
        schema = checked_schema(config["schema"]) if config["schema"] is not None else None
        model = find_model(self._models, call)
        media = Media(self._read_file, call.tenant_id, config["detail"])
        messages = await _messages(config, model, media)
        if schema is not None:
            messages = in_words(messages, schema, model)
        request = ChatRequest(
            messages=without_empty(messages),
            parameters=config["model"]["completion_params"],
            response_format=response_format(schema, model.settings) if schema is not None else None,
            idempotency_key=call.execution_id,
        )
        progress.asks(model, config, request.messages)
        reply = await model.chat(request)
        progress.answered(reply)
        outputs = _outputs(reply, config["reasoning_format"])
        if reply.images:
            files = await keep(reply.images, call, self._read_file, self._save_file)
            outputs |= {"text": with_pictures(outputs["text"], files), "files": files}
        if schema is not None:
            outputs["structured_output"] = await structured(reply.text, schema)
        return Outcome(
            "succeeded",
            outputs=outputs,
            process_data=progress.process_data,
            execution_metadata=progress.execution_metadata,
        )


def find_model(models: Models, call: NodeCall) -> ChatModel:
    """The one that the node's config names. Raises `NotConfigured`."""
    wanted = call.config["model"]
    return models.find(call.tenant_id, wanted["provider"], wanted["name"], wanted["mode"])


async def _messages(config: Config, model: ChatModel, media: Media) -> list[Message]:
    prompts, settings = config["prompts"], model.settings
    shown_files = await media.parts(config["files"], settings)
    if prompts and prompts[0]["role"] is None:
        said = [Message("user", _with_history(prompts[0]["text"], config, model))]
        return with_files(said, shown_files)
    messages: list[Message] = []
    for prompt in prompts:
        messages += _turn(prompt["role"], prompt["text"], await media.parts(prompt["files"], settings))
    if config["memory"]:
        text = "".join(message.text for message in messages)
        messages += as_messages(_remembered(config, model, text))
    if config["query"]:
        query = config["query"]
        messages += _turn("user", query["text"], await media.parts(query["files"], settings))
    return with_files(messages, shown_files)


def _turn(role: Any, text: str, files: list[Part]) -> list[Message]:
    """A text and the files that it names are two messages, as in Dify."""
    turn = [Message(role, text)] if text else []
    return [*turn, Message(role, tuple(files))] if files else turn


def _with_history(text: str, config: Config, model: ChatModel) -> str:
    """Where the prompt says so, else before it. Raises `LLMNodeError` where nobody is named."""
    if not config["memory"]:
        return text
    names = config["memory"]["role_prefix"]
    if not names:
        raise LLMNodeError("the memory of a prompt that is one text needs a role prefix")
    history = as_text(_remembered(config, model, text), names["user"], names["assistant"])
    return text.replace(_HISTORIES, history) if _HISTORIES in text else f"{history}\n{text}"


def _remembered(config: Config, model: ChatModel, prompt: str) -> Any:
    parameters = config["model"]["completion_params"]
    return recent(config["memory"]["history"], model.settings, parameters, prompt)


def _outputs(reply: Completion, reasoning_format: str) -> dict[str, Any]:
    text, reasoning = tagged(reply.text, reply.reasoning), ""
    if reasoning_format == "separated":
        text, reasoning = separated(text)
    return {
        "text": text,
        "reasoning_content": reasoning,
        "usage": reply.usage.as_json(),
        "finish_reason": reply.finish_reason,
    }
