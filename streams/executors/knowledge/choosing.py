"""What a model decides before anything is looked up: which dataset, and which of the metadata matter."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.models.dataset import Dataset
from streams.executors.models.client import ChatModel
from streams.executors.models.messages import ChatRequest, Message, Tool

_ROUTER = (
    "Decide which source of knowledge most likely answers the user's question, and call its function."
    " Call none of them when no source fits."
)
_FILTER = (
    "Extract from the user's question the conditions that it puts on the documents to be searched, and call"
    " the function with them. Use only the fields that exist. Give an empty list when it puts none."
)
_NO_PARAMETERS = {"type": "object", "properties": {}}


async def choose_dataset(
    model: ChatModel, parameters: Mapping[str, Any], datasets: Sequence[Dataset], query: str, key: str
) -> Dataset | None:
    """None when the model finds that none of them fits. `key`: of the request. Raises `InvokeError`."""
    tools = tuple(
        Tool(f"dataset_{number}", dataset.description or f"Questions about {dataset.name}", _NO_PARAMETERS)
        for number, dataset in enumerate(datasets)
    )
    called = await _call(model, parameters, _ROUTER, query, tools, key)
    if called is None:
        return None
    name, _ = called
    return next((d for tool, d in zip(tools, datasets, strict=True) if tool.name == name), None)


async def choose_conditions(
    model: ChatModel,
    parameters: Mapping[str, Any],
    fields: Sequence[str],
    operators: Sequence[str],
    query: str,
    key: str,
) -> dict[str, Any] | None:
    """A metadata condition as the retrieval API takes it, or None. Raises `InvokeError`."""
    condition = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "enum": list(fields)},
            "comparison_operator": {"type": "string", "enum": list(operators)},
            "value": {"type": "string"},
        },
        "required": ["name", "comparison_operator"],
    }
    schema = {
        "type": "object",
        "properties": {"conditions": {"type": "array", "items": condition}},
        "required": ["conditions"],
    }
    tool = Tool("filter_documents", "Limits the search to the documents that meet the conditions", schema)
    called = await _call(model, parameters, _FILTER, query, (tool,), key)
    found = called[1].get("conditions") if called else None
    sound = [one for one in found or () if _is_sound(one, fields, operators)]
    return {"logical_operator": "or", "conditions": sound} if sound else None


async def _call(
    model: ChatModel, parameters: Mapping[str, Any], task: str, query: str, tools: tuple[Tool, ...], key: str
) -> tuple[str, dict[str, Any]] | None:
    """Name and arguments of the function that the model calls first."""
    messages = (Message("system", task), Message("user", query))
    request = ChatRequest(
        messages=messages, parameters=parameters, tools=tools, tool_choice="auto", idempotency_key=key
    )
    completion = await model.chat(request)
    first = next(iter(completion.tool_calls), None)
    # Beside the loop: what is no JSON takes long to repair.
    return (first.name, await asyncio.to_thread(first.parsed)) if first else None


def _is_sound(one: Any, fields: Sequence[str], operators: Sequence[str]) -> bool:
    """Whether a condition of the model is one that the index can be asked."""
    return isinstance(one, dict) and one.get("name") in fields and one.get("comparison_operator") in operators
