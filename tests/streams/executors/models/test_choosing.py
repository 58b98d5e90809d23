"""question-classifier and parameter-extractor against a real server."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT
from streams.executors.models.parameter_extractor import ParameterExtractorExecutor
from streams.executors.models.question_classifier import QuestionClassifierExecutor
from streams.executors.outcome import NodeCall, Outcome
from tests.streams.executors.models.endpoint import USAGE, Endpoint, Reply, models_of, provider

MODEL = {"provider": "openai", "name": "m", "mode": "chat", "completion_params": {}}
COMMON: dict[str, Any] = {"model": MODEL, "files": [], "detail": "high", "memory": None}
MEMORY = {"role_prefix": None, "history": [{"query": "earlier", "answer": "yes"}]}
CLASSES = [{"id": "1", "name": "Orders", "label": "CLASS 1"}, {"id": "2", "name": "Other", "label": "Rest"}]
PARAMETERS = [
    {"name": "size", "type": "string", "options": ["S", "L"], "description": "of a shirt", "required": True},
    {"name": "count", "type": "number", "description": "", "required": True},
    {"name": "tags", "type": "array[string]", "description": "", "required": False},
    {"name": "gift", "type": "boolean", "description": "", "required": False},
]  # fmt: skip
GOOD = {"size": "L", "count": 2, "tags": ["a"], "gift": True}
EMPTY = {"size": "", "count": 0, "tags": [], "gift": False}


async def read_file(file: Mapping[str, Any], tenant_id: str) -> bytes:
    return b"png"


async def run(kind: Any, endpoint: Endpoint, config: Any, settings: Any = None) -> Outcome:
    call = NodeCall(
        node_type="x", config={**COMMON, **config}, inputs={}, execution_id="e", tenant_id=DEFAULT_TENANT
    )
    async with models_of([provider(endpoint.url, models={"m": settings or {}})]) as models:
        return await kind(models, read_file)(call)


async def classify(endpoint: Endpoint, settings: Any = None, **config: Any) -> Outcome:
    wanted = {"query": "where is it?", "classes": CLASSES, "instruction": "be strict", **config}
    return await run(QuestionClassifierExecutor, endpoint, wanted, settings)


async def extract(endpoint: Endpoint, settings: Any = None, **config: Any) -> Outcome:
    wanted = {
        "query": "two large",
        "parameters": PARAMETERS,
        "instruction": "",
        "reasoning_mode": "prompt",
        **config,
    }
    return await run(ParameterExtractorExecutor, endpoint, wanted, settings)


def calling(arguments: str) -> Reply:
    call = {"id": "c", "type": "function", "function": {"name": "record_parameters", "arguments": arguments}}
    choice = {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    return Reply({"choices": [choice], "usage": USAGE})


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ('{"keywords": [], "category_id": "2", "category_name": "Other"}', "2"),
        ('<think>"1"?</think>```json\n{"category_id": 2, "category_name": "x"}\n```', "2"),
        ('{"category_id": "9", "category_name": "other"}', "2"),
        ('{"category_id": "9", "category_name": "none"}', "1"),
        ('{"answer": "no idea"}', "1"),
        ("Other.", "2"),
    ],
)
async def test_the_class_that_the_model_names(endpoint: Endpoint, text: str, chosen: str) -> None:
    endpoint.say(text)
    outcome = await classify(endpoint)
    found = CLASSES[int(chosen) - 1]
    assert (outcome.status, outcome.edge_source_handle) == ("succeeded", chosen)
    assert outcome.outputs == {
        "class_name": found["name"],
        "class_label": found["label"],
        "class_id": chosen,
        "usage": outcome.process_data["usage"],
    }
    assert outcome.execution_metadata["total_tokens"] == 1200


async def test_what_a_classifier_is_told(endpoint: Endpoint) -> None:
    endpoint.say('{"category_id": "1"}')
    outcome = await classify(endpoint, memory=MEMORY, files=[{"type": "image", "filename": "a.png"}])
    system, *_, last = endpoint.last["messages"]
    assert "Human: earlier\nAssistant: yes" in system["content"]
    assert [part["type"] for part in last["content"]] == ["image_url", "text"]
    assert json.loads(last["content"][1]["text"]) == {
        "message": "where is it?",
        "categories": [{"id": "1", "description": "Orders"}, {"id": "2", "description": "Other"}],
        "instructions": "be strict",
    }
    assert outcome.process_data["prompts"][0]["role"] == "system"
    endpoint.replies = [Reply([{"choices": [{"text": '{"category_id": "2"}', "finish_reason": "stop"}]}])]
    assert (await classify(endpoint, {"mode": "completion"})).outputs["class_id"] == "2"
    assert endpoint.last["prompt"].endswith("\nOutput:")


async def test_a_reply_without_a_class_fails_the_node(endpoint: Endpoint) -> None:
    endpoint.say("I would rather not.")
    outcome = await classify(endpoint)
    assert (outcome.status, outcome.error_type) == ("failed", "OutputParserError")
    assert outcome.execution_metadata["total_tokens"] == 1200


async def test_parameters_by_a_function_call(endpoint: Endpoint) -> None:
    endpoint.replies = [calling(json.dumps(GOOD))]
    outcome = await extract(
        endpoint, reasoning_mode="function_call", memory=MEMORY, instruction="mind the gap"
    )
    usage = outcome.process_data["usage"]
    assert outcome.outputs == {"__is_success": 1, "__reason": None, "__usage": usage, **GOOD}
    function = endpoint.last["tools"][0]["function"]
    assert function["parameters"] == {
        "type": "object",
        "properties": {
            "size": {"type": "string", "enum": ["S", "L"], "description": "of a shirt"},
            "count": {"type": "number", "description": ""},
            "tags": {"type": "array", "items": {"type": "string"}, "description": ""},
            "gift": {"type": "boolean", "description": ""},
        },
        "required": ["size", "count"],
    }
    assert outcome.process_data["function"] == function
    assert outcome.process_data["tool_call"]["function"]["arguments"] == json.dumps(GOOD)
    system = endpoint.last["messages"][0]["content"]
    assert "mind the gap" in system
    assert "Human: earlier" in system


@pytest.mark.parametrize("settings", [{}, {"tool_calls": False}, {"mode": "completion"}])
async def test_parameters_in_words(endpoint: Endpoint, settings: Any) -> None:
    text = f"Here:\n```json\n{json.dumps(GOOD)}\n```"
    endpoint.replies = [Reply({"choices": [{"message": {"content": text}, "text": text}], "usage": USAGE})]
    outcome = await extract(endpoint, settings, reasoning_mode="function_call" if settings else "prompt")
    assert "tools" not in endpoint.last
    assert (outcome.outputs["__is_success"], outcome.outputs["size"]) == (1, "L")
    assert outcome.process_data["llm_text"] == text
    assert outcome.process_data["tool_call"] is None


@pytest.mark.parametrize(
    ("found", "outputs", "reason"),
    [
        ({**GOOD, "size": "XL"}, {**GOOD, "size": "XL"}, "is to be one of S, L"),
        ({**GOOD, "count": "2.5"}, {**GOOD, "count": 2.5}, "is to be of type number"),
        ({**GOOD, "count": "many"}, {**GOOD, "count": 0}, "is to be of type number"),
        ({**GOOD, "gift": 1}, GOOD, "is to be of type boolean"),
        ({**GOOD, "tags": ["a", 1]}, GOOD, "is to be of type array"),
        ({**GOOD, "tags": "a"}, {**GOOD, "tags": []}, "is to be of type array"),
        ({"size": "L", "count": 2}, {**EMPTY, "size": "L", "count": 2}, "the number of values is 2, not 4"),
        ({"count": 2, "tags": [], "gift": False}, {**EMPTY, "count": 2}, "size is required"),
        ({**GOOD, "more": 1}, GOOD, "the number of values is 5, not 4"),
    ],
)
async def test_values_that_do_not_fit(endpoint: Endpoint, found: Any, outputs: Any, reason: str) -> None:
    endpoint.say(json.dumps(found))
    outcome = await extract(endpoint)
    assert outcome.status == "succeeded"
    assert outcome.outputs["__is_success"] == 0
    assert reason in outcome.outputs["__reason"]
    assert {name: outcome.outputs[name] for name in outputs} == outputs


@pytest.mark.parametrize("reply", ["I see nothing.", "[1, 2]"])
async def test_a_reply_without_values(endpoint: Endpoint, reply: str) -> None:
    endpoint.say(reply)
    outputs = (await extract(endpoint)).outputs
    assert outputs["__is_success"] == 0
    assert outputs["__reason"] == "the reply of the model has no values in it"
    assert {name: outputs[name] for name in EMPTY} == EMPTY


async def test_a_model_that_cannot_be_asked(endpoint: Endpoint) -> None:
    endpoint.replies = [Reply({"error": "no"}, 400)]
    outcome = await extract(endpoint)
    assert (outcome.status, outcome.error_type) == ("failed", "InvokeBadRequestError")
    assert outcome.outputs["__is_success"] == 0
    assert "answered 400: no" in outcome.outputs["__error"]
    outcome = await classify(endpoint, model={**MODEL, "provider": "gone"})
    assert (outcome.status, outcome.error_type) == ("failed", "NotConfigured")
