"""What stands outside of the peer's engine: models and tools with canned replies, scripts, templates."""

import json
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import jinja2
from graphon.model_runtime.entities.common_entities import I18nObject
from graphon.model_runtime.entities.llm_entities import (
    LLMResult,
    LLMResultChunk,
    LLMResultChunkDelta,
    LLMResultChunkWithStructuredOutput,
    LLMUsage,
)
from graphon.model_runtime.entities.message_entities import AssistantPromptMessage, PromptMessage
from graphon.model_runtime.entities.model_entities import AIModelEntity, FetchFrom, ModelFeature, ModelType
from graphon.model_runtime.errors.invoke import InvokeBadRequestError
from graphon.nodes.tool_runtime_entities import ToolRuntimeHandle, ToolRuntimeMessage, ToolRuntimeParameter
from graphon.template_rendering import Jinja2TemplateRenderer, TemplateRenderError

Json = dict[str, Any]


class CannedModel:
    """A model whose reply is fixed, with `{last}` replaced by the text of the last message.

    `asked` takes each request as a chat API would get it: {model, messages: [{role, content}]}.
    """

    def __init__(self, model: Json, reply: Json, asked: list[Json]) -> None:
        self.provider = model["provider"]
        self.model_name = model["name"]
        self.parameters = model.get("completion_params") or {}
        self.stop: Sequence[str] | None = None
        self._reply = reply
        self._asked = asked

    def get_model_schema(self) -> AIModelEntity:
        features = [ModelFeature.STRUCTURED_OUTPUT]
        if "tool_calls" in self._reply:
            features += [ModelFeature.TOOL_CALL, ModelFeature.VISION]
        return AIModelEntity(
            model=self.model_name,
            label=I18nObject(en_US=self.model_name),
            model_type=ModelType.LLM,
            features=features,
            fetch_from=FetchFrom.PREDEFINED_MODEL,
            model_properties={"mode": "chat", "context_size": 100_000},
        )

    def get_llm_num_tokens(self, prompt_messages: Sequence[PromptMessage]) -> int:
        return sum(len(message.get_text_content()) for message in prompt_messages)

    def invoke_llm(
        self, *, prompt_messages: Sequence[PromptMessage], stream: bool, **_: Any
    ) -> LLMResult | Generator[LLMResultChunk, None, None]:
        message = self._message(prompt_messages)
        usage = _usage()
        if not stream:
            return LLMResult(model=self.model_name, message=message, usage=usage)
        delta = LLMResultChunkDelta(index=0, message=message, usage=usage, finish_reason="stop")
        return iter([LLMResultChunk(model=self.model_name, delta=delta)])  # type: ignore[return-value]

    def invoke_llm_with_structured_output(
        self, *, prompt_messages: Sequence[PromptMessage], stream: bool, **_: Any
    ) -> Any:
        message = self._message(prompt_messages)
        delta = LLMResultChunkDelta(index=0, message=message, usage=_usage(), finish_reason="stop")
        structured = json.loads(self._reply["text"])
        return iter([LLMResultChunkWithStructuredOutput(
            model=self.model_name, delta=delta, structured_output=structured)])  # fmt: skip

    def is_structured_output_parse_error(self, error: Exception) -> bool:
        return isinstance(error, ValueError)

    def _message(self, prompt_messages: Sequence[PromptMessage]) -> AssistantPromptMessage:
        messages = [{"role": each.role.value, "content": each.get_text_content()} for each in prompt_messages]
        self._asked.append({"model": self.model_name, "messages": messages})
        if self._reply.get("error"):
            raise InvokeBadRequestError(self._reply["error"])
        text = self._reply["text"].replace("{last}", messages[-1]["content"] if messages else "")
        calls = [
            AssistantPromptMessage.ToolCall(
                id=f"call{i}",
                type="function",
                function=AssistantPromptMessage.ToolCall.ToolCallFunction(
                    name=call["name"], arguments=json.dumps(call["arguments"])
                ),
            )
            for i, call in enumerate(self._reply.get("tool_calls") or ())
        ]
        return AssistantPromptMessage(content=text, tool_calls=calls)


def _usage() -> LLMUsage:
    tokens = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return LLMUsage.empty_usage().model_copy(update=tokens)


class CannedTool:
    """A tool runtime with fixed messages. `called` takes {node, parameters} of each call."""

    def __init__(self, messages: Sequence[Json], called: list[Json]) -> None:
        self._messages = messages
        self._called = called

    def get_runtime(self, *, node_id: str, **_: Any) -> ToolRuntimeHandle:
        return ToolRuntimeHandle(raw=node_id)

    def get_runtime_parameters(self, *, tool_runtime: ToolRuntimeHandle) -> list[ToolRuntimeParameter]:
        return []

    def invoke(
        self, *, tool_runtime: ToolRuntimeHandle, tool_parameters: Mapping[str, Any], **_: Any
    ) -> Generator[ToolRuntimeMessage, None, None]:
        self._called.append({"node": tool_runtime.raw, "parameters": dict(tool_parameters)})
        for message in self._messages:
            yield ToolRuntimeMessage.model_validate(message)

    def get_usage(self, *, tool_runtime: ToolRuntimeHandle) -> LLMUsage:
        return LLMUsage.empty_usage()

    def build_file_reference(self, *, mapping: Mapping[str, Any]) -> Any:
        raise NotImplementedError("tools with files are not compared")


class CodeExecutionError(Exception):
    """The name that Dify gives to whatever a script raises."""


class Scripts:
    """Runs `main` of a script in this process: the scripts are those of the tests."""

    def execute(self, *, language: str, code: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        scope: Json = {}
        exec(compile(code, "main.py", "exec"), scope)
        try:
            return json.loads(json.dumps(scope["main"](**json.loads(json.dumps(inputs)))))
        except Exception as error:
            raise CodeExecutionError(str(error)) from error

    def is_execution_error(self, error: Exception) -> bool:
        return isinstance(error, CodeExecutionError)


class Templates(Jinja2TemplateRenderer):
    """As Dify's sandbox renders them: a plain environment in which unknown names are empty."""

    def render_template(self, template: str, variables: Mapping[str, Any]) -> str:
        try:
            return jinja2.Environment().from_string(template).render(**variables)
        except jinja2.TemplateError as error:
            raise TemplateRenderError(str(error)) from error


class Verbatim:
    """Prompt messages as {role, text, files}. None has a file here."""

    def serialize(self, *, model_mode: Any, prompt_messages: Sequence[PromptMessage]) -> list[Json]:
        return [
            {"role": each.role.value, "text": each.get_text_content(), "files": []}
            for each in prompt_messages
        ]


class NoFiles:
    """Stands where only files would need it."""

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError("files made by nodes are not compared")
