"""CloudEvents over HTTP, with the SDK of CloudEvents as the client."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.ingress.stand_ins import AUTHORIZED, Client, StandIns

PATH = "/api/v1/events"
ATTRIBUTES: dict[str, Any] = {
    "id": "A-1",
    "source": "/orders/eu",
    "type": "com.example.order.created",
    "specversion": "1.0",
    "subject": "Euro € 😀",
    "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "datacontenttype": "application/json",
    "region": "eu west",
}


def new_event(data: Any = None, **attributes: Any) -> CloudEvent:
    return CloudEvent({**ATTRIBUTES, **attributes}, {"order": 1} if data is None else data)


async def send(client: Client, message: HTTPMessage) -> tuple[int, Any]:
    headers = {**message.headers, **AUTHORIZED}
    async with client.post(PATH, data=message.body, headers=headers) as answer:
        return answer.status, await answer.json()


def batch(*events: CloudEvent | dict[str, Any]) -> HTTPMessage:
    written = [orjson.dumps(one) if isinstance(one, dict) else JSONFormat().write(one) for one in events]
    headers = {"content-type": "application/cloudevents-batch+json; charset=UTF-8"}
    return HTTPMessage(headers, b"[" + b",".join(written) + b"]")


@pytest.mark.parametrize("mode", [to_binary, to_structured])
async def test_the_sdk_sends_one_event(mode: Any, client: Client, stand_ins: StandIns) -> None:
    status, answer = await send(client, mode(new_event(), JSONFormat()))
    assert (status, answer["trigger_id"], answer["duplicate"]) == (202, "/orders/eu A-1", False)
    [event] = stand_ins.sent.events()
    assert (event["trigger_type"], event["index_key"], event["subject"]) == (
        "CLOUDEVENTS", "com.example.order.created", "Euro € 😀",
    )  # fmt: skip
    data = orjson.loads(event["data"])
    assert data["body"] == {"order": 1}
    assert data["attributes"] == {**ATTRIBUTES, "time": "2026-01-02T03:04:05Z"}


async def test_both_modes_are_the_same_event(client: Client, stand_ins: StandIns) -> None:
    first = await send(client, to_binary(new_event(), JSONFormat()))
    second = await send(client, to_structured(new_event(), JSONFormat()))
    assert [status for status, _ in (first, second)] == [202, 200]
    assert second[1]["duplicate"] is True
    keys = {event["dedup_key"] for event in stand_ins.sent.events()}
    assert len(keys) == 1


async def test_a_type_does_not_make_another_event_of_it(client: Client) -> None:
    await send(client, to_binary(new_event(), JSONFormat()))
    status, _ = await send(client, to_binary(new_event(type="com.example.other"), JSONFormat()))
    assert status == 200
    for change in ({"id": "A-2"}, {"source": "/orders/us"}):
        status, _ = await send(client, to_binary(new_event(**change), JSONFormat()))
        assert status == 202


@pytest.mark.parametrize(
    ("data", "content_type", "kept"),
    [
        ("plain text", "text/plain", "plain text"),
        (
            b"\x89PNG",
            "image/png",
            {"encoding": "base64", "content_type": "image/png", "size": 4, "data": "iVBORw=="},
        ),
    ],
)
@pytest.mark.parametrize("mode", [to_binary, to_structured])
async def test_data_that_is_no_json(
    mode: Any, data: Any, content_type: str, kept: Any, client: Client, stand_ins: StandIns
) -> None:
    assert (await send(client, mode(new_event(data, datacontenttype=content_type), JSONFormat())))[0] == 202
    assert orjson.loads(stand_ins.sent.events()[0]["data"])["body"] == kept


async def test_a_batch(client: Client, stand_ins: StandIns) -> None:
    events = [new_event({"n": n}, id=f"A-{n}") for n in range(3)]
    status, answer = await send(client, batch(*events))
    assert (status, len(answer["event_ids"])) == (202, 3)
    assert sorted(event["trigger_id"] for event in stand_ins.sent.events()) == [
        "/orders/eu A-0", "/orders/eu A-1", "/orders/eu A-2",
    ]  # fmt: skip
    status, answer = await send(client, batch(*events[:2], new_event(id="A-9")))
    assert (status, answer["duplicate"]) == (202, False)
    status, answer = await send(client, batch(*events))
    assert (status, answer["duplicate"]) == (200, True)


async def test_an_empty_batch_is_one(client: Client, stand_ins: StandIns) -> None:
    status, answer = await send(client, batch())
    assert (status, answer["event_ids"], stand_ins.sent.events()) == (202, [], [])


async def test_of_a_batch_with_a_bad_event_nothing_is_taken(client: Client, stand_ins: StandIns) -> None:
    status, problem = await send(client, batch(new_event(), {"id": 5, "specversion": "0.3"}, {"id": "x"}))
    assert status == 400
    rows = {row["field"]: row["why"] for row in problem["errors"]}
    assert rows["1.specversion"] == "Input should be '1.0'"
    assert {"1.id", "1.source", "1.type", "2.specversion", "2.source", "2.type"} <= rows.keys()
    assert stand_ins.sent.events() == []


async def test_what_binary_mode_lacks(client: Client) -> None:
    status, problem = await send(
        client, HTTPMessage({"content-type": "application/json", "ce-id": "1"}, b"{}")
    )
    assert status == 400
    assert [row["field"] for row in problem["errors"]] == ["ce-specversion", "ce-source", "ce-type"]


async def test_other_formats_and_strangers(client: Client) -> None:
    message = HTTPMessage({"content-type": "application/cloudevents+avro"}, b"x")
    assert (await send(client, message))[0] == 415
    async with client.post(PATH, data=b"{}") as answer:
        assert answer.status == 401


async def test_a_source_that_asks_first_may_send(client: Client) -> None:
    asked = {"WebHook-Request-Origin": "eventemitter.example.com", "WebHook-Request-Rate": "120"}
    async with client.options(PATH, headers=asked) as answer:
        assert (answer.status, answer.headers["Allow"]) == (200, "POST")
        assert answer.headers["WebHook-Allowed-Origin"] == "*"
        assert answer.headers["WebHook-Allowed-Rate"] == "*"
    async with client.options(PATH) as answer:
        assert answer.status == 400
