"""What stands outside of the peer's engine: models and tools with canned replies, scripts, templates."""

import base64
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
from graphon.nodes.human_input.entities import (
    Completed,
    Expired,
    HITLContext,
    HITLDecision,
    PauseRequested,
)
from graphon.nodes.tool.exc import ToolRuntimeInvocationError
from graphon.nodes.tool_runtime_entities import ToolRuntimeHandle, ToolRuntimeMessage, ToolRuntimeParameter
from graphon.template_rendering import Jinja2TemplateRenderer, TemplateRenderError
from graphon.variables.factory import build_segment
from graphon.variables.segments import Segment

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
    """The runtime of one tool, which answers as Dify's tools made of an OpenAPI document do.

    `reply` has `parameters`, `required`, `body` and `type`. `called` takes {tool, arguments} of each call.
    """

    def __init__(self, name: str, reply: Json, called: list[Json]) -> None:
        self._name = name
        self._reply = reply
        self._called = called

    def get_runtime(self, **_: Any) -> ToolRuntimeHandle:
        return ToolRuntimeHandle(raw=None)

    def get_runtime_parameters(self, *, tool_runtime: ToolRuntimeHandle) -> list[ToolRuntimeParameter]:
        required = self._reply.get("required") or ()
        return [ToolRuntimeParameter(name, name in required) for name in self._reply["parameters"]]

    def invoke(
        self, *, tool_runtime: ToolRuntimeHandle, tool_parameters: Mapping[str, Any], **_: Any
    ) -> Generator[ToolRuntimeMessage, None, None]:
        self._called.append({"tool": self._name, "arguments": dict(tool_parameters)})
        body = self._reply["body"]
        if self._reply.get("status", 200) >= 400:
            raise ToolRuntimeInvocationError(body)
        if self._reply["type"] == "application/json" and isinstance(json.loads(body), dict):
            yield self._message("json", {"json_object": json.loads(body)})
        yield self._message("text", {"text": body})

    @staticmethod
    def _message(kind: str, message: Json) -> ToolRuntimeMessage:
        return ToolRuntimeMessage.model_validate({"type": kind, "message": message})

    def get_usage(self, *, tool_runtime: ToolRuntimeHandle) -> LLMUsage:
        return LLMUsage.empty_usage()

    def build_file_reference(self, *, mapping: Mapping[str, Any]) -> Any:
        raise NotImplementedError("tools with files are not compared")


class CannedPerson:
    """Answers at once, lets the time run out (`{}`), or does not answer (None).

    What such a node puts out is made by Dify's application, not by graphon; this is it, for a form whose text
    has nothing to fill in.
    """

    def __init__(self, data: Mapping[str, Any], answer: Json | None) -> None:
        self._titles = {one["id"]: one["title"] for one in data.get("user_actions") or ()}
        self._text = data.get("form_content") or ""
        self._answer = answer

    def __call__(self, context: HITLContext) -> HITLDecision:
        if self._answer is None:
            return PauseRequested(session_id="session")
        action = self._answer.get("action", "")
        inputs = self._answer.get("inputs") or {}
        told = {
            "__action_id": action,
            "__action_value": self._titles.get(action, ""),
            "__rendered_content": self._text,
        }
        if not action:
            return Expired("__timeout", self._segments(told))
        return Completed(action, self._segments(inputs), self._segments({**inputs, **told}))

    @staticmethod
    def _segments(values: Json) -> dict[str, Segment]:
        return {name: build_segment(value) for name, value in values.items()}


class CodeExecutionError(Exception):
    """The name that Dify gives to whatever a script raises."""


class Scripts:
    """Runs `main` of a script in this process: the scripts are those of the tests."""

    def execute(self, *, language: str, code: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        scope: Json = {}
        exec(compile(code, "main.py", "exec"), scope)
        scope |= {"json": json, "b64decode": base64.b64decode}
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
