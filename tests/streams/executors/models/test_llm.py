"""The llm node against a real server: what the model is told, and what becomes of its reply."""

import base64
import re
from collections.abc import Mapping
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT
from streams.executors.errors import FileUnreadable
from streams.executors.models.llm import LLMExecutor
from streams.executors.outcome import NodeCall, Outcome
from tests.streams.executors.models.endpoint import Endpoint, Reply, models_of, provider, spoken

IMAGE = {"type": "image", "filename": "cat.png", "mime_type": "image/png"}
TURNS = [{"query": f"question {i}", "answer": f"answer {i}"} for i in range(4)]
MEMORY = {"role_prefix": None, "history": TURNS}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "number"}},
    "required": ["city"],
}
CONFIG: dict[str, Any] = {
    "model": {"provider": "openai", "name": "m", "mode": "chat", "completion_params": {"temperature": 0}},
    "prompts": [
        {"role": "system", "text": "Be kind.", "files": []},
        {"role": "user", "text": "hi", "files": []},
    ],
    "query": None,
    "files": [],
    "detail": "low",
    "memory": None,
    "schema": None,
    "reasoning_format": "tagged",
}


async def read_file(file: Mapping[str, Any], tenant_id: str) -> bytes:
    assert tenant_id == DEFAULT_TENANT
    if file.get("remote_url"):
        return str(file["remote_url"]).encode()
    if file["filename"] == "gone.png":
        raise FileUnreadable("gone.png is gone")
    return str(file["filename"]).encode()


async def save_file(
    tenant_id: str, content: bytes, *, identity: str, filename: str | None, mime_type: str | None
) -> dict[str, Any]:
    told = {"identity": identity, "filename": filename, "mime_type": mime_type, "content": content.decode()}
    return {**told, "url": None if filename == "no-link.webp" else f"http://files.test/{identity}"}


async def run(endpoint: Endpoint, settings: Any = None, **config: Any) -> Outcome:
    call = NodeCall(
        node_type="llm", config={**CONFIG, **config}, inputs={}, execution_id="e1", tenant_id=DEFAULT_TENANT
    )
    pricing = {"input": 1, "output": 2}
    models = {"m": {"pricing": pricing, **(settings or {})}}
    async with models_of([provider(endpoint.url, models=models)]) as found:
        return await LLMExecutor(found, read_file, save_file)(call)


def told(endpoint: Endpoint) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in endpoint.last["messages"]]


async def test_the_reply_and_what_it_took(endpoint: Endpoint) -> None:
    endpoint.say("hello you")
    outcome = await run(endpoint)
    assert outcome.status == "succeeded"
    assert told(endpoint) == [("system", "Be kind."), ("user", "hi")]
    assert (endpoint.last["temperature"], endpoint.asked[0].headers["idempotency-key"]) == (0, "e1")
    usage = outcome.outputs["usage"]
    assert outcome.outputs == {
        "text": "hello you", "reasoning_content": "", "usage": usage, "finish_reason": "stop",
    }  # fmt: skip
    assert (usage["total_tokens"], usage["total_price"]) == (1200, "0.0014000")
    assert outcome.process_data == {
        "model_mode": "chat",
        "prompts": [
            {"role": "system", "text": "Be kind.", "files": []},
            {"role": "user", "text": "hi", "files": []},
        ],
        "usage": usage,
        "finish_reason": "stop",
        "model_provider": "openai",
        "model_name": "m",
    }
    assert outcome.execution_metadata == {
        "total_tokens": 1200,
        "total_price": 0.0014,
        "currency": "USD",
        "provider_response_latency": usage["latency"],
    }


@pytest.mark.parametrize(
    ("reasoning_format", "text", "apart", "outputs"),
    [
        ("tagged", "<think>hm</think> yes", None, ("<think>hm</think> yes", "")),
        ("tagged", "yes", "hm", ("<think>\nhm\n</think>yes", "")),
        ("separated", "<think>hm</think>\n\n\nyes <THINK a='b'>so</think>", None, ("yes", "hm\nso")),
        ("separated", "yes", "hm", ("yes", "hm")),
        ("separated", "yes <think>but", None, ("yes", "but")),
        ("separated", "a <thinker> b", None, ("a <thinker> b", "")),
    ],
)
async def test_reasoning(
    endpoint: Endpoint, reasoning_format: str, text: str, apart: str | None, outputs: tuple[str, str]
) -> None:
    endpoint.say(text, **({"reasoning_content": apart} if apart else {}))
    found = (await run(endpoint, reasoning_format=reasoning_format)).outputs
    assert (found["text"], found["reasoning_content"]) == outputs


async def test_the_turns_stand_before_the_question(endpoint: Endpoint) -> None:
    endpoint.say("ok")
    query = {"text": "and now?", "files": []}
    await run(endpoint, memory=MEMORY, query=query, prompts=CONFIG["prompts"][:1])
    assert told(endpoint)[1:3] == [("user", "question 0"), ("assistant", "answer 0")]
    assert told(endpoint)[-1] == ("user", "and now?")
    assert len(told(endpoint)) == 10


async def test_old_turns_are_left_out_where_they_do_not_fit(endpoint: Endpoint) -> None:
    endpoint.say("ok")
    model = {**CONFIG["model"], "completion_params": {"max_tokens": 40}}
    await run(endpoint, {"context_size": 60}, memory=MEMORY, model=model)
    assert told(endpoint)[2:] == [
        ("user", "question 2"), ("assistant", "answer 2"), ("user", "question 3"), ("assistant", "answer 3"),
    ]  # fmt: skip
    long = [{"query": "x" * 9000, "answer": ""}, TURNS[0]]
    await run(endpoint, memory={**MEMORY, "history": long})
    assert [text for _, text in told(endpoint)[2:]] == ["question 0", "answer 0"]


async def test_files_are_shown(endpoint: Endpoint) -> None:
    endpoint.say("a cat")
    prompts = [
        CONFIG["prompts"][0],
        {"role": "user", "text": "this", "files": [{**IMAGE, "filename": "in.png"}]},
    ]
    outcome = await run(endpoint, prompts=prompts, files=[IMAGE])
    seen = [[part.get("image_url") for part in content] for _, content in told(endpoint)[2:]]
    urls = [f"data:image/png;base64,{base64.b64encode(name).decode()}" for name in (b"cat.png", b"in.png")]
    assert told(endpoint)[1] == ("user", "this")
    assert seen == [[{"url": url, "detail": "low"} for url in urls]]
    assert outcome.process_data["prompts"][2]["files"][0] == {
        "type": "image", "filename": "cat.png", "mime_type": "image/png", "size": 7,
    }  # fmt: skip
    await run(endpoint, files=[IMAGE])
    assert [part["type"] for part in told(endpoint)[1][1]] == ["image_url", "text"]
    await run(endpoint, prompts=CONFIG["prompts"][:1], files=[IMAGE])
    assert [role for role, _ in told(endpoint)] == ["system", "user"]


async def test_a_model_that_takes_no_images_is_sent_none_and_none_is_read(endpoint: Endpoint) -> None:
    endpoint.say("ok")
    await run(endpoint, {"vision": False}, files=[{**IMAGE, "filename": "gone.png"}])
    assert told(endpoint)[1] == ("user", "hi")


@pytest.mark.parametrize(
    ("way", "sent"), [("json_schema", "json_schema"), ("json_object", "json_object"), ("prompt", None)]
)
async def test_structured_output(endpoint: Endpoint, way: str, sent: str | None) -> None:
    endpoint.say('{"city": "Bern", "people": 3}')
    outcome = await run(endpoint, {"structured_output": way}, schema=SCHEMA)
    assert outcome.outputs["structured_output"] == {"city": "Bern", "people": 3}
    assert endpoint.last.get("response_format", {}).get("type") == sent
    in_words = '"required":["city"]' in told(endpoint)[0][1]
    assert in_words is (way != "json_schema")
    await run(endpoint, {"structured_output": "prompt"}, schema=SCHEMA, prompts=CONFIG["prompts"][1:])
    assert [role for role, _ in told(endpoint)] == ["system", "user"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<think>{"city": "no"}</think>Here:\n```json\n{"city": "Bern"}\n```', {"city": "Bern"}),
        ('Sure! {"city": "Bern {"}. {', {"city": "Bern {"}),
        ("{'city': 'Bern',}", {"city": "Bern"}),
        ('[{"city": "Bern"}]', {"city": "Bern"}),
        ('{"city": "Bern", "people": 3', {"city": "Bern", "people": 3}),
    ],
)
async def test_a_reply_that_is_nearly_json_is_repaired(endpoint: Endpoint, text: str, found: Any) -> None:
    endpoint.say(text)
    assert (await run(endpoint, schema=SCHEMA)).outputs["structured_output"] == found


@pytest.mark.parametrize(
    ("text", "schema", "why"),
    [
        ("I cannot.", SCHEMA, "no JSON object in it: 'I cannot.'"),
        ('{"people": 3}', SCHEMA, r"does not match its schema at \$: 'city' is a required"),
        ('{"city": 3}', SCHEMA, r"at \$.city: 3 is not of type"),
        ("{}", {"type": "nonsense"}, "the schema of the structured output is not valid"),
        (
            "{}",
            {"$ref": "http://127.0.0.1:1/x"},
            "its schema refers to what cannot be found",
        ),
    ],
)
async def test_a_reply_that_does_not_fit_fails_the_node(
    endpoint: Endpoint, text: str, schema: Any, why: str
) -> None:
    endpoint.say(text)
    outcome = await run(endpoint, schema=schema)
    assert (outcome.status, outcome.error_type) == ("failed", "LLMNodeError")
    assert re.search(why, outcome.error or "")
    if endpoint.asked:  # it was paid for
        assert outcome.execution_metadata["total_tokens"] == 1200


async def test_one_text_for_a_completion_model(endpoint: Endpoint) -> None:
    endpoint.replies = [Reply([{"choices": [{"text": "ok", "finish_reason": "stop"}]}])]
    model = {**CONFIG["model"], "mode": "completion"}
    memory = {"role_prefix": {"user": "U", "assistant": "A"}, "history": TURNS[:1]}
    prompt = {"role": None, "text": "<{{#histories#}}>\nU: hi", "files": []}
    outcome = await run(endpoint, model=model, memory=memory, prompts=[prompt])
    assert outcome.outputs["text"] == "ok"
    assert endpoint.last["prompt"] == "<U: question 0\nA: answer 0>\nU: hi"
    assert outcome.process_data["model_mode"] == "completion"
    await run(endpoint, model=model, memory=memory, prompts=[{**prompt, "text": "hi"}])
    assert endpoint.last["prompt"] == "U: question 0\nA: answer 0\nhi"
    failed = await run(endpoint, model=model, memory=MEMORY, prompts=[prompt])
    assert failed.error == "the memory of a prompt that is one text needs a role prefix"


@pytest.mark.parametrize(
    ("config", "error_type", "why"),
    [
        ({"prompts": []}, "NoPromptFoundError", "every prompt is empty"),
        ({"model": {**CONFIG["model"], "provider": "x"}}, "NotConfigured", "'x' is not configured"),
        ({"files": [{**IMAGE, "filename": "gone.png"}]}, "FileUnreadable", "is gone"),
        ({"files": [{**IMAGE, "type": "custom"}]}, "FileTypeNotSupportError", "which no model is shown"),
    ],
)
async def test_what_cannot_be_asked(endpoint: Endpoint, config: Any, error_type: str, why: str) -> None:
    outcome = await run(endpoint, **config)
    assert (outcome.status, outcome.error_type, endpoint.asked) == ("failed", error_type, [])
    assert outcome.error is not None
    assert why in outcome.error


async def test_what_the_model_draws_is_kept(endpoint: Endpoint) -> None:
    urls = [
        f"data:image/gif;base64,{base64.b64encode(b'gif').decode()}",
        "data:,plain%20text",
        "http://pictures.test/no-link.webp?token=x",
        "http://pictures.test/7",
    ]
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": "Look: "}, images[0]]
    endpoint.replies = [Reply({"choices": [{"message": {"content": content, "images": images[1:]}}]})]
    outputs = (await run(endpoint)).outputs
    assert (
        outputs["text"]
        == "Look: ![](http://files.test/e1/0)![](http://files.test/e1/1)![](http://files.test/e1/3)"
    )
    assert [(f["filename"], f["mime_type"], f["content"]) for f in outputs["files"]] == [
        (None, "image/gif", "gif"),
        (None, "image/png", "plain text"),
        ("no-link.webp", "image/webp", urls[2]),
        ("7", "image/png", urls[3]),
    ]
    broken = {"type": "image_url", "image_url": {"url": "data:image/png;base64,???"}}
    endpoint.replies = [Reply({"choices": [{"message": {"images": [broken]}}]})]
    assert (await run(endpoint)).error == "the model has given an image that cannot be read"


async def test_a_refusal_shows_what_was_sent(endpoint: Endpoint) -> None:
    endpoint.replies = [Reply({"error": {"message": "context_length_exceeded"}}, 400), Reply(spoken("no"))]
    outcome = await run(endpoint)
    assert (outcome.status, outcome.error_type) == ("failed", "InvokeBadRequestError")
    assert outcome.process_data["prompts"][1]["text"] == "hi"
    assert outcome.execution_metadata == {}
