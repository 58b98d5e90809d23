"""Structured output: telling a model the schema of its reply, and holding the reply against it."""

from collections.abc import Mapping
from typing import Any

import orjson

from schemas.draft7 import misfit, schema_error, validator
from schemas.models.model_provider import ModelSettings
from streams.executors.models.client import ChatModel
from streams.executors.models.messages import JsonSchema, Message, ResponseFormat
from streams.executors.models.node_errors import LLMNodeError
from streams.executors.models.replies import find_object

_WORDS = """Answer with one JSON object and nothing else: no introduction, no explanation, no code block.
The object must be valid against this JSON Schema:
{schema}"""


def checked_schema(schema: Any) -> Mapping[str, Any]:
    """Raises `LLMNodeError` for what is no JSON Schema of draft 7."""
    wrong = schema_error(schema)
    if wrong:
        raise LLMNodeError(f"the schema of the structured output is not valid: {wrong}")
    return schema  # type: ignore[no-any-return]


def response_format(schema: Mapping[str, Any], settings: ModelSettings) -> ResponseFormat | None:
    """As far as the model can be told this way."""
    match settings.structured_output:
        case "json_schema":
            return JsonSchema(schema)
        case "json_object":
            return "json_object"
        case "prompt":
            return None


def in_words(messages: list[Message], schema: Mapping[str, Any], model: ChatModel) -> list[Message]:
    """With the schema in the first system message, for a model that is told it in no other way."""
    if model.mode == "chat" and model.settings.structured_output == "json_schema":
        return messages
    words = _WORDS.format(schema=orjson.dumps(schema).decode())
    for place, message in enumerate(messages):
        if message.role == "system":
            told = Message("system", f"{message.text}\n\n{words}")
            return [*messages[:place], told, *messages[place + 1 :]]
    return [Message("system", words), *messages]


async def structured(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The object in the reply, repaired where it is not quite JSON. Raises `LLMNodeError`."""
    found = await find_object(text)
    if found is None:
        raise LLMNodeError(f"the reply has no JSON object in it: {text[:500]!r}")
    try:
        wrong = misfit(validator(schema), found)
    except ValueError as error:
        raise LLMNodeError(f"the reply cannot be held against its schema: {error}") from error
    if wrong is not None:
        raise LLMNodeError(f"the reply does not match its schema at {wrong.json_path}: {wrong.message}")
    return found
