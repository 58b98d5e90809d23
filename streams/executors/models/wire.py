"""Requests in the wire format of OpenAI's chat completions and completions interfaces.

Source: the API reference at platform.openai.com, and for `video_url` that of vLLM.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from schemas.models.model_provider import ModelProvider, ModelSettings
from streams.executors.models.errors import InvokeBadRequestError
from streams.executors.models.messages import (
    ChatRequest,
    JsonSchema,
    MediaKind,
    MediaPart,
    Message,
    Part,
    TextPart,
    Tool,
    ToolCall,
)

Json = dict[str, Any]

_AUDIO_FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}


def chat_body(request: ChatRequest, model: str, settings: ModelSettings, provider: ModelProvider) -> bytes:
    """The body of a POST to /chat/completions. Raises `InvokeBadRequestError`."""
    body: Json = {"model": settings.served_as or model, "messages": _messages(request.messages, settings)}
    body |= _common(request, settings, provider)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice)
    if isinstance(request.response_format, JsonSchema):
        schema = {"name": request.response_format.name, "schema": request.response_format.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.response_format is not None:
        body["response_format"] = {"type": request.response_format}
    return orjson.dumps(body)


def completion_body(
    request: ChatRequest, model: str, settings: ModelSettings, provider: ModelProvider
) -> bytes:
    """The body of a POST to /completions: the texts of the messages are the prompt, files have no place."""
    prompt = "\n".join(message.text for message in request.messages)
    body: Json = {"model": settings.served_as or model, "prompt": prompt}
    body |= _common(request, settings, provider)
    body.pop("response_format", None)
    return orjson.dumps(body)


def _common(request: ChatRequest, settings: ModelSettings, provider: ModelProvider) -> Json:
    parameters = {**provider.parameters, **settings.parameters, **request.parameters}
    stop = list(request.stop) or _texts(parameters.pop("stop", None))
    parameters = _bounded(_with_format(parameters), settings.max_tokens)
    if stop:
        parameters["stop"] = stop
    if provider.stream:
        parameters |= {"stream": True, "stream_options": {"include_usage": True}}
    names = settings.parameter_names
    renamed = ((names.get(name, name), value) for name, value in parameters.items() if value is not None)
    return {name: value for name, value in renamed if name is not None}


def _bounded(parameters: Json, most: int | None) -> Json:
    wanted = parameters.get("max_tokens")
    if most is not None and isinstance(wanted, int | float) and wanted > most:
        return {**parameters, "max_tokens": most}
    return parameters


def _with_format(parameters: Json) -> Json:
    """Nodes have `response_format` as a word, and the schema in `json_schema` as a text beside it."""
    parameters = dict(parameters)
    schema = parameters.pop("json_schema", None)
    wanted = parameters.get("response_format")
    if wanted is None or isinstance(wanted, Mapping):
        return parameters
    del parameters["response_format"]
    match str(wanted).lower():
        case "json_schema" if schema:
            described = _parsed(schema) if isinstance(schema, str) else schema
            parameters["response_format"] = {"type": "json_schema", "json_schema": described}
        case "json_object" | "json":
            parameters["response_format"] = {"type": "json_object"}
    return parameters


def _parsed(schema: str) -> Any:
    try:
        return orjson.loads(schema)
    except orjson.JSONDecodeError as wrong:
        raise InvokeBadRequestError(f"json_schema of the node is not JSON: {wrong}") from wrong


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def _messages(messages: Iterable[Message], settings: ModelSettings) -> list[Json]:
    return [_message(message, settings) for message in messages]


def _message(message: Message, settings: ModelSettings) -> Json:
    body: Json = {"role": message.role, "content": _content(message.content, settings)}
    if message.tool_calls:
        body["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.reasoning is not None:
        body["reasoning_content"] = message.reasoning
    return body


def _content(content: str | tuple[Part, ...], settings: ModelSettings) -> Any:
    """Parts that the model does not take are left out, and a text that is left alone is a plain text."""
    if isinstance(content, str):
        return content
    taken = [part for part in content if isinstance(part, TextPart) or takes(settings, part.kind)]
    if len(taken) == 1 and isinstance(taken[0], TextPart):
        return taken[0].text
    return [_part(part) for part in taken] or ""


def takes(settings: ModelSettings, kind: MediaKind) -> bool:
    """Whether the model is sent such files."""
    return {"audio": settings.audio, "document": settings.documents}.get(kind, settings.vision)


def _part(part: Part) -> Json:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    encoded = base64.b64encode(part.content).decode()
    url = f"data:{part.mime_type};base64,{encoded}"
    match part.kind:
        case "image":
            return {"type": "image_url", "image_url": {"url": url, "detail": part.detail}}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": encoded, "format": _audio_format(part)}}
        case "video":
            return {"type": "video_url", "video_url": {"url": url}}
        case "document":
            return {"type": "file", "file": {"filename": part.filename, "file_data": url}}


def _audio_format(part: MediaPart) -> str:
    return _AUDIO_FORMATS.get(part.mime_type) or part.mime_type.partition("/")[2].removeprefix("x-")


def _tool(tool: Tool) -> Json:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": described}


def _tool_choice(choice: str) -> Any:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _tool_call(call: ToolCall) -> Json:
    called = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    return {**called, "extra_content": call.extra} if call.extra else called
