"""The client against a real server: what is sent, what is read, what is tried again."""

import asyncio
import base64
from decimal import Decimal
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT
from schemas.models.model_provider import Pricing
from streams.executors.models.completion import Completion
from streams.executors.models.errors import (
    InvokeAuthorizationError,
    InvokeBadRequestError,
    InvokeConnectionError,
    InvokeError,
    InvokeRateLimitError,
    InvokeServerUnavailableError,
)
from streams.executors.models.messages import (
    ChatRequest,
    JsonSchema,
    MediaPart,
    Message,
    TextPart,
    Tool,
    ToolCall,
)
from streams.executors.models.usage import NOTHING, Usage, priced
from tests.streams.executors.models.endpoint import KEY, Endpoint, Reply, models_of, provider, spoken
from tests.streams.executors.receiver import repeating_server

HELLO = (Message("user", "hello"),)
WEATHER = Tool("weather", "of a city", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = ToolCall("call_1", "weather", '{"city": "Bern"}')
BUSY = Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "0"})
ESCAPED = rb'{"error": "bad key %b, %b"}' % (
    KEY.replace("-", r"\u002D").encode(), "".join(rf"\u{ord(char):04x}" for char in KEY).encode(),
)  # fmt: skip
PRICED = {"models": {"m": {"pricing": {"input": "0.15", "output": "0.6"}}}}


async def ask(endpoint: Endpoint, mode: Any = "chat", *, request: Any = None, **fields: Any) -> Completion:
    wanted = {"messages": HELLO, **(request or {})}
    async with models_of([provider(endpoint.url, **fields)]) as models:
        return await models.find(DEFAULT_TENANT, "openai", "m", mode).chat(ChatRequest(**wanted))


async def test_a_stream_that_nobody_waits_for_is_closed(endpoint: Endpoint) -> None:
    endpoint.replies = [Reply(spoken("and so on")[:-2], endless=True)]
    asking = asyncio.create_task(ask(endpoint))
    await endpoint.kept_waiting.wait()
    asking.cancel()
    await asyncio.wait_for(endpoint.left.wait(), 10)
    assert len(endpoint.asked) == 1  # cancelled is not failed: it is not asked again


@pytest.mark.parametrize("thought", [["I ", "look"], [""], []])
async def test_what_an_endpoint_wants_back_is_sent_with_the_calls(
    endpoint: Endpoint, thought: list[str]
) -> None:
    signed = {"google": {"thought_signature": "c2lnbmVk"}}
    deltas: list[Any] = [{"content": None, "reasoning_content": text} for text in thought or [None]]
    begun = {"index": 0, "id": "call_1", "extra_content": signed, "function": {"name": "weather"}}
    rest = {"index": 0, "function": {"arguments": CALL.arguments}}
    deltas += [{"tool_calls": [begun]}, {"tool_calls": [rest]}]
    endpoint.replies = [Reply([{"choices": [{"delta": delta}]} for delta in deltas])]
    called = (await ask(endpoint)).as_message()
    await ask(endpoint, request={"messages": (*HELLO, called, Message("tool", "9", tool_call_id="call_1"))})
    function = {"name": CALL.name, "arguments": CALL.arguments}
    calls = [{"id": "call_1", "type": "function", "function": function, "extra_content": signed}]
    back = {"reasoning_content": "".join(thought)} if thought else {}
    assert endpoint.last["messages"][1] == {"role": "assistant", "content": "", "tool_calls": calls, **back}


async def test_a_streamed_reply_is_put_together_and_priced(endpoint: Endpoint) -> None:
    endpoint.say("hello yourself, world", reasoning_content="they greet")
    found = await ask(endpoint, request={"parameters": {"temperature": 0.5, "top_k": None}}, **PRICED)
    assert (found.text, found.reasoning, found.finish_reason) == (
        "hello yourself, world",
        "they greet",
        "stop",
    )
    shown = found.usage.as_json()
    assert shown["latency"] >= shown["time_to_first_token"] >= 0
    assert {name: shown[name] for name in shown if not name.startswith(("latency", "time"))} == {
        "prompt_tokens": 1000,
        "prompt_unit_price": "0.15",
        "prompt_price_unit": "0.000001",
        "prompt_price": "0.0001500",
        "completion_tokens": 200,
        "completion_unit_price": "0.6",
        "completion_price_unit": "0.000001",
        "completion_price": "0.0001200",
        "total_tokens": 1200,
        "total_price": "0.0002700",
        "currency": "USD",
    }
    assert found.usage.metadata()["total_price"] == 0.00027
    assert endpoint.asked[0].path == "/v1/chat/completions"
    assert endpoint.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert endpoint.last == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_may_come_whole_whatever_was_asked_for(endpoint: Endpoint, stream: bool) -> None:
    endpoint.replies = [
        Reply(
            {
                "choices": [
                    {"message": {"content": [{"type": "text", "text": "hi"}]}, "finish_reason": "length"}
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 1},
            }
        )
    ]  # fmt: skip
    found = await ask(endpoint, stream=stream)
    assert (found.text, found.finish_reason, found.usage.total_tokens) == ("hi", "length", 4)
    assert found.usage.time_to_first_token is None
    assert ("stream" in endpoint.last) is stream


async def test_the_completion_interface_takes_one_text(endpoint: Endpoint) -> None:
    endpoint.replies = [
        Reply([{"choices": [{"text": "a b"}]}, {"choices": [{"text": " c", "finish_reason": "stop"}]}])
    ]
    found = await ask(endpoint, "completion", request={"stop": ("Human:",)})
    assert found.text == "a b c"
    assert endpoint.asked[0].path == "/v1/completions"
    assert (endpoint.last["prompt"], endpoint.last["stop"]) == ("hello", ["Human:"])
    assert found.usage.total_tokens == 0


async def test_tool_calls_are_assembled(endpoint: Endpoint) -> None:
    def piece(**call: Any) -> dict[str, Any]:
        return {"choices": [{"delta": {"tool_calls": [call]}}]}

    endpoint.replies = [
        Reply(
            [
                piece(index=0, id="a", function={"name": "weather", "arguments": ""}),
                piece(index=0, function={"arguments": '{"city":'}),
                piece(index=1, id="b", function={"name": "weather", "arguments": "{}"}),
                piece(index=0, function={"arguments": '"Bern"}'}),
                {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
            ]
        )
    ]
    request = {
        "messages": (
            *HELLO,
            Message("assistant", tool_calls=(CALL,)),
            Message("tool", "rain", tool_call_id="call_1"),
        ),
        "tools": (WEATHER,),
        "tool_choice": "weather",
    }
    found = await ask(endpoint, request=request)
    assert found.tool_calls == (ToolCall("a", "weather", '{"city":"Bern"}'), ToolCall("b", "weather", "{}"))
    assert found.tool_calls[0].parsed() == {"city": "Bern"}
    assert found.as_message().tool_calls == found.tool_calls
    function = {"name": "weather", "arguments": '{"city": "Bern"}'}
    assert endpoint.last["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "rain", "tool_call_id": "call_1"},
    ]
    assert endpoint.last["tools"][0]["function"] == {
        "name": "weather", "description": "of a city", "parameters": WEATHER.parameters,
    }  # fmt: skip
    assert endpoint.last["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


async def test_files_are_sent_as_the_model_takes_them(endpoint: Endpoint) -> None:
    endpoint.say("a cat")
    parts = (
        TextPart("what is this?"),
        MediaPart("image", b"png", "image/png", detail="low"),
        MediaPart("audio", b"mp3", "audio/mpeg"),
        MediaPart("document", b"pdf", "application/pdf", "a.pdf"),
        MediaPart("video", b"mp4", "video/mp4"),
    )
    await ask(endpoint, request={"messages": (Message("user", parts),)})
    png, mp3, pdf, mp4 = (base64.b64encode(b).decode() for b in (b"png", b"mp3", b"pdf", b"mp4"))
    assert endpoint.last["messages"][0]["content"] == [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": mp3, "format": "mp3"}},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{pdf}"},
        },
        {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{mp4}"}},
    ]
    deaf_and_blind = {"*": {"vision": False, "audio": False, "documents": False}}
    await ask(endpoint, request={"messages": (Message("user", parts),)}, models=deaf_and_blind)
    assert endpoint.last["messages"][0]["content"] == "what is this?"


async def test_parameters_come_from_the_node_then_the_model_then_the_provider(endpoint: Endpoint) -> None:
    endpoint.say("ok")
    names = {"max_tokens": "max_completion_tokens", "top_k": None}
    own = {
        "served_as": "m-2025", "max_tokens": 100, "parameters": {"b": 2, "c": 2}, "parameter_names": names,
    }  # fmt: skip
    asked = {"c": 3, "max_tokens": 5000, "top_k": 1, "stop": ["x"], "response_format": "json_object"}
    await ask(endpoint, request={"parameters": asked}, parameters={"a": 1, "b": 1}, models={"m": own})
    sent = {
        name: endpoint.last[name] for name in endpoint.last if "stream" not in name and name != "messages"
    }
    assert sent == {
        "model": "m-2025",
        "a": 1,
        "b": 2,
        "c": 3,
        "max_completion_tokens": 100,
        "stop": ["x"],
        "response_format": {"type": "json_object"},
    }


@pytest.mark.parametrize(
    ("request_format", "parameters", "sent"),
    [
        (None, {"response_format": "text"}, None),
        (None, {"response_format": "XML"}, None),
        (None, {"response_format": "JSON"}, {"type": "json_object"}),
        (None, {"response_format": {"type": "text"}}, {"type": "text"}),
        (
            None,
            {"response_format": "json_schema", "json_schema": '{"name": "n", "schema": {}}'},
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        ),
        ("json_object", {"response_format": "text"}, {"type": "json_object"}),
        (
            JsonSchema({"type": "object"}),
            {},
            {"type": "json_schema", "json_schema": {"name": "output", "schema": {"type": "object"}}},
        ),
    ],
)
async def test_response_formats(endpoint: Endpoint, request_format: Any, parameters: Any, sent: Any) -> None:
    endpoint.say("ok")
    await ask(endpoint, request={"response_format": request_format, "parameters": parameters})
    assert endpoint.last.get("response_format") == sent
    assert "json_schema" not in endpoint.last


async def test_another_header_for_the_key_and_a_query(endpoint: Endpoint) -> None:
    endpoint.say("ok")
    base = f"{endpoint.url}/deployments/x?api-version=2024-10-21"
    async with models_of([provider(base, api_key_header="api-key", headers={"X-Team": "a"})]) as models:
        model = models.find(DEFAULT_TENANT, "openai", "m")
        await model.chat(ChatRequest(messages=HELLO, idempotency_key="e1"))
    asked = endpoint.asked[0]
    assert asked.path == "/v1/deployments/x/chat/completions?api-version=2024-10-21"
    assert (asked.headers["api-key"], asked.headers["x-team"]) == (KEY, "a")
    assert asked.headers["idempotency-key"] == "e1"
    assert "authorization" not in asked.headers


async def test_every_attempt_at_a_request_carries_the_same_key(endpoint: Endpoint) -> None:
    endpoint.replies = [BUSY, BUSY, Reply(spoken("ok"))]
    await ask(endpoint, request={"idempotency_key": "e1"})
    assert [asked.headers["idempotency-key"] for asked in endpoint.asked] == ["e1"] * 3
    await ask(endpoint, request={"idempotency_key": "e1"}, headers={"idempotency-key": "mine"})
    assert endpoint.asked[-1].headers["idempotency-key"] == "mine"


async def test_no_key_no_header(endpoint: Endpoint) -> None:
    endpoint.say("ok")
    await ask(endpoint, key=None)
    assert "authorization" not in endpoint.asked[0].headers


async def test_what_may_pass_is_tried_again(endpoint: Endpoint) -> None:
    half = Reply(spoken("never heard")[:2], cut=True)
    endpoint.replies = [BUSY, Reply(b"<html>", 502), half, Reply(spoken("at last"))]
    assert (await ask(endpoint)).text == "at last"
    assert len(endpoint.asked) == 4


@pytest.mark.parametrize(
    ("reply", "error", "why", "asked"),
    [
        (
            Reply({"error": {"message": f"bad key {KEY}"}}, 401),
            InvokeAuthorizationError,
            r"'openai' \(model m\) answered 401: bad key \*\*\*. Check credentials.api_key",
            1,
        ),
        (Reply(ESCAPED, 401), InvokeAuthorizationError, r"bad key \*\*\*, \*\*\*\. Check", 1),
        (Reply(b"x" * 495 + KEY.encode(), 400), InvokeBadRequestError, r"xxx\*\*\*", 1),
        (Reply(b"<html>" + KEY.encode()), InvokeError, r"not JSON: <html>\*\*\*. Is base_url right", 1),
        (Reply({"detail": "no such model"}, 404), InvokeBadRequestError, "no such model. Check base_url", 1),
        (Reply({"error": "too long"}, 400), InvokeBadRequestError, "answered 400: too long", 1),
        (
            Reply({}, 308, {"Location": "https://else.test"}),
            InvokeBadRequestError,
            "redirects to https://else.test. Set base_url",
            1,
        ),
        (
            Reply({}, 302, {"Location": f"https://else.test/?key={KEY}"}),
            InvokeBadRequestError,
            r"redirects to https://else.test/\?key=\*{6}\. Set base_url",
            1,
        ),
        (BUSY, InvokeRateLimitError, "answered 429: slow down", 3),
        (
            Reply({"error": {"message": "m", "code": "insufficient_quota"}}, 429),
            InvokeRateLimitError,
            "no credit left",
            1,
        ),
        (Reply({}, 429, {"Retry-After": "3600"}), InvokeRateLimitError, "answered 429", 1),
        (Reply(b"down", 503), InvokeServerUnavailableError, "answered 503: down", 3),
        (Reply([{"error": {"message": "overloaded"}}]), InvokeError, "gave up: overloaded", 3),
        (Reply(spoken("x")[:2], cut=True), InvokeConnectionError, "cannot be reached", 3),
        (Reply(b"<html>"), InvokeError, "not JSON: <html>. Is base_url right", 1),
        (Reply({"object": "list"}), InvokeError, "without a reply", 1),
        (Reply([{"text": "out of memory", "error_code": 50002}]), InvokeError, "reply: .*out of memory", 3),
        (Reply(b'[{"error": {"message": "no such"}}]', 400), InvokeBadRequestError, "400: no such", 1),
        (Reply(b"[]"), InvokeError, "no object", 1),
    ],
)  # fmt: skip
async def test_failures(endpoint: Endpoint, reply: Reply, error: type, why: str, asked: int) -> None:
    endpoint.replies = [reply]
    with pytest.raises(error, match=why):
        await ask(endpoint, max_retries=2)
    assert len(endpoint.asked) == asked


async def test_an_answer_that_is_no_http_tells_no_key() -> None:
    async with repeating_server() as url, models_of([provider(url, max_retries=0)]) as models:
        with pytest.raises(InvokeConnectionError, match=r"cannot be reached: .*\*{6}") as raised:
            await models.find(DEFAULT_TENANT, "openai", "m").chat(ChatRequest(messages=HELLO))
    assert KEY not in str(raised.value)


async def test_a_json_schema_that_is_none_is_said_to_be_none(endpoint: Endpoint) -> None:
    wanted = {"parameters": {"response_format": "json_schema", "json_schema": "{not"}}
    with pytest.raises(InvokeBadRequestError, match="json_schema of the node is not JSON"):
        await ask(endpoint, request=wanted)
    assert endpoint.asked == []


@pytest.mark.parametrize("end", [{"cut": True}, {"endless": True}])
async def test_a_reply_that_has_ended_counts_however_its_stream_ends(
    endpoint: Endpoint, end: dict[str, bool]
) -> None:
    endpoint.replies = [Reply(spoken("all of it")[:-1], **end)]
    found = await ask(endpoint, read_timeout_s=0.2)
    assert (found.text, found.finish_reason, len(endpoint.asked)) == ("all of it", "stop", 1)


async def test_a_stream_that_ends_in_the_middle_is_no_reply(endpoint: Endpoint) -> None:
    endpoint.replies = [Reply(b"data: {}\n\n", headers={"Content-Type": "text/event-stream"})]
    with pytest.raises(InvokeConnectionError, match="in the middle"):
        await ask(endpoint, max_retries=0)


async def test_the_network_is_guarded_and_bounded() -> None:
    request = ChatRequest(messages=HELLO)
    async with models_of([provider("http://127.0.0.1:1/v1", max_retries=1)], allow=()) as models:
        with pytest.raises(InvokeConnectionError, match="HOPLINE_EGRESS_ALLOW"):
            await models.find(DEFAULT_TENANT, "openai", "m").chat(request)
    async with models_of([provider("http://127.0.0.1:1/v1", max_retries=1)]) as models:
        with pytest.raises(InvokeConnectionError, match="cannot be reached"):
            await models.find(DEFAULT_TENANT, "openai", "m").chat(request)


async def test_a_silent_endpoint_is_given_up(endpoint: Endpoint) -> None:
    endpoint.replies = [Reply(spoken("x"))]
    with pytest.raises(InvokeConnectionError, match="did not answer in time"):
        await ask(endpoint, max_retries=0, timeout_s=1e-6)


def test_usage_of_several_requests_is_added_up() -> None:
    pricing = Pricing(input=Decimal("0.15"), output=Decimal("0.6"), currency="CHF")
    one = priced(Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2, latency=1.5), pricing)
    assert one.prompt_price == Decimal("0.0000002")  # half up
    both = NOTHING + one + one
    assert (both.total_tokens, both.total_price, both.latency) == (4, Decimal("0.0000016"), 3.0)
    assert both.metadata() == {
        "total_tokens": 4, "total_price": 1.6e-06, "currency": "CHF", "provider_response_latency": 3.0,
    }  # fmt: skip
