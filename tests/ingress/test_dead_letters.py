"""Dead letters over HTTP, on rows that the sink has written: looking at them, and sending them back."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer

from ingress.settings import TokenSettings
from schemas import letters
from schemas.ids import new_id
from schemas.letters import Return, returned
from sinks.table import Table
from tests.ingress.stand_ins import AUTHORIZED, Client, Server, StandIns, assemble, new_settings
from tests.sinks import records
from tests.sinks.records import CODEC, START_US, message
from transport.clickhouse import ClickHouse
from transport.producer import Send

Json = dict[str, Any]

SECRET = "s" * 32


@pytest.fixture
async def client(stand_ins: StandIns, database: ClickHouse) -> AsyncIterator[Client]:
    async with TestClient(Server(assemble(stand_ins, new_settings(), database))) as client:
        yield client


async def keep(database: ClickHouse, *values: bytes) -> None:
    found = [message("dead.letters", value) for value in values]
    assert await Table("dead.letters", database, CODEC).write(found) == []


async def write(database: ClickHouse, **changes: Any) -> Json:
    letter = records.dead_letter(**changes)
    await keep(database, CODEC.encode("DeadLetter", letter))
    return letter


async def call(client: Client, method: str, path: str = "", status: int = 200, **request: Any) -> Json:
    async with client.request(method, f"/api/v1/dead-letters{path}", headers=AUTHORIZED, **request) as answer:
        assert answer.status == status, await answer.text()
        document: Json = await answer.json()
    return document


def originals(stand_ins: StandIns) -> list[Send]:
    return [send for send in stand_ins.sent.sends if send.topic != "dead.letters"]


async def test_a_letter_goes_back_as_it_came(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    letter = await write(database, trace_id="0af7651916cd43dd8448eb211c80319c")
    (listed,) = (await call(client, "GET", "?status=PENDING"))["data"]
    assert listed["id"] == letter["id"]
    assert listed["trace_id"] == letter["trace_id"]
    assert "value" not in listed
    shown = await call(client, "GET", f"/{letter['id']}")
    assert base64.b64decode(shown["value"]) == letter["value"]
    assert shown["record"] is None
    assert shown["trace_id"] == letter["trace_id"]
    replayed = await call(client, "POST", f"/{letter['id']}/replay")
    assert replayed == {"id": letter["id"], "status": "REPLAYED", "repeated": False}
    original, closed = stand_ins.sent.sends
    assert (original.topic, original.key, original.value) == ("run.commands", b"\xff\x00", letter["value"])
    assert original.partition == letter["partition"]
    back = Return(letter["id"], 1, "engine")
    assert original.headers == (("traceparent", b"\xff"), back.header())
    record = CODEC.decode("DeadLetter", closed.value)
    as_written = CODEC.decode("DeadLetter", CODEC.encode("DeadLetter", letter))
    assert record == {**as_written, "status": "REPLAYED", "revision": 2, "tenant_id": record["tenant_id"]}
    await keep(database, closed.value or b"")
    again = await call(client, "POST", f"/{letter['id']}/replay")
    assert again["repeated"]
    assert len(stand_ins.sent.sends) == 2
    await call(client, "POST", f"/{new_id()}/replay", 404)


async def test_asked_twice_at_the_same_moment_it_is_sent_once(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    letter = await write(database)
    answers = await asyncio.gather(*(call(client, "POST", f"/{letter['id']}/replay") for _ in range(5)))
    assert sorted(answer["repeated"] for answer in answers) == [False, True, True, True, True]
    assert len(originals(stand_ins)) == 1


async def test_what_the_broker_did_not_take_can_be_sent_again(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    letter = await write(database)
    stand_ins.sent.fails = True
    await call(client, "POST", f"/{letter['id']}/replay", 503)
    stand_ins.sent.fails = False
    assert not (await call(client, "POST", f"/{letter['id']}/replay"))["repeated"]


async def test_what_fails_again_is_the_same_letter_with_one_more_attempt(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    letter = await write(database)
    await call(client, "POST", f"/{letter['id']}/replay")
    original, closed = stand_ins.sent.sends
    failed = letters.dead_letter(
        letters.Place("run.commands", 1, 77),
        (original.key, original.value, original.headers),
        letters.Origin(),
        letter_id=new_id(),
        stage="engine",
        reason="ValueError: still",
    )
    # The record may fail before the history has heard that it was sent.
    await keep(database, CODEC.encode("DeadLetter", failed), closed.value or b"")
    (shown,) = (await call(client, "GET"))["data"]
    told = {name: shown[name] for name in ("id", "offset", "attempts", "status", "reason")}
    assert told == {
        "id": letter["id"],
        "offset": 77,
        "attempts": 2,
        "status": "PENDING",
        "reason": "ValueError: still",
    }
    assert not (await call(client, "POST", f"/{letter['id']}/replay"))["repeated"]
    again = returned(originals(stand_ins)[-1].headers)
    assert again == Return(letter["id"], 2, "engine")
    assert [name for name, _ in originals(stand_ins)[-1].headers].count(letters.HEADER) == 1


async def test_a_row_goes_back_to_the_stage_that_had_kept_it(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    letter = await write(database, topic="changelog.runs", offset=-1, headers=[])
    await call(client, "POST", f"/{letter['id']}/replay")
    (original,) = originals(stand_ins)
    assert (original.topic, original.partition) == ("run.commands", 1)
    assert original.headers == (Return(letter["id"], 1, "engine", is_row=True).header(),)


async def test_a_record_that_was_too_large_for_its_letter_is_read_again(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    cut = [{"name": letters.CUT_HEADER, "value": b"9"}]
    letter = await write(database, headers=cut)
    gone = await write(database, headers=cut, offset=3)
    stand_ins.records.kept["run.commands", 1, 2] = SimpleNamespace(
        key=lambda: b"k", value=lambda: b"the whole", headers=lambda: [("a", None)]
    )
    await call(client, "POST", f"/{letter['id']}/replay")
    (original,) = originals(stand_ins)
    assert (original.key, original.value) == (b"k", b"the whole")
    assert original.headers[0] == ("a", b"")
    refused = await call(client, "POST", f"/{gone['id']}/replay", 409)
    assert "9 bytes did not fit" in refused["detail"]


async def test_what_is_configured_is_not_replaced_by_something_older(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    letter = await write(database, topic="definitions.apps", partition=0, key=b"a1", stage="definitions")
    source = await write(database, topic="kafka/t1/orders", stage="sources")
    for refused in (letter, source):
        await call(client, "POST", f"/{refused['id']}/replay", 409)
    stand_ins.configured.unreadable["definitions.apps", "a1"] = SimpleNamespace(offset=letter["offset"])
    assert not (await call(client, "POST", f"/{letter['id']}/replay"))["repeated"]


async def test_many_are_sent_by_what_they_have_in_common_the_oldest_first(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    def at(n: int) -> Json:
        return {"created_at": START_US + n * 1_000_000, "key": str(n).encode()}

    for n in range(3):
        await write(database, stage="route", topic="trigger.events", reason="ValueError: Bad", **at(n))
    await write(database, stage="route", topic="trigger.events", reason="KeyError: x", **at(3))
    await write(database, stage="executor", topic="node.tasks.default", **at(4))
    done = await write(database, stage="route", status="REPLAYED", revision=2, **at(5))
    wanted = {"stage": "route", "reason": "valueerror: b", "topic": "trigger.events"}
    rehearsed = await call(client, "POST", "/replay", json={**wanted, "dry_run": True})
    assert ([one["outcome"] for one in rehearsed["data"]], rehearsed["found"]) == (
        ["would_be_replayed"] * 3,
        3,
    )
    assert stand_ins.sent.sends == []
    some = await call(client, "POST", "/replay", json={**wanted, "limit": 2})
    assert (len(some["data"]), some["found"], some["left"]) == (2, 3, 1)
    every = await call(client, "POST", "/replay", json={"all": True})
    outcomes = [one["outcome"] for one in every["data"]]
    assert outcomes == ["repeated", "repeated", "replayed", "replayed", "replayed"]
    assert [send.key for send in originals(stand_ins)] == [b"0", b"1", b"2", b"3", b"4"]
    named = await call(client, "POST", "/replay", json={"ids": [done["id"], "no-uuid"]})
    assert [one["outcome"] for one in named["data"]] == ["repeated", "refused"]
    for beyond in ({"since": "2027-01-01T00:00:00Z"}, {"until": "0001-01-01T00:00:00+23:59"}):
        assert (await call(client, "POST", "/replay", json=beyond))["found"] == 0
    (by_reason,) = (await call(client, "GET", "?reason=KEYERROR"))["data"]
    assert by_reason["reason"] == "KeyError: x"


@pytest.mark.parametrize("body", [{}, {"dry_run": True}, {"ids": [], "all": True}, {"all": True, "limit": 0}])
async def test_many_are_sent_only_by_who_says_which(client: Client, body: Json) -> None:
    await call(client, "POST", "/replay", 422, json=body)


async def test_tenants_see_and_send_their_own_and_the_deployment_all(
    stand_ins: StandIns, database: ClickHouse
) -> None:
    settings = new_settings(jwt=TokenSettings.model_validate({"secret": SECRET}))
    app = assemble(stand_ins, settings, database)
    theirs = await write(database, tenant_id="t1")
    others = await write(database, tenant_id="t2")
    nobodys = await write(database, tenant_id=None)
    async with TestClient(TestServer(app)) as client:
        claims = {"sub": "ada", "exp": time.time() + 86_400, "scope": "read admin", "tenant_id": "t1"}
        token = jwt.encode(claims, SECRET)
        mine = {"Authorization": f"Bearer {token}"}
        async with client.get("/api/v1/dead-letters", headers=mine) as answer:
            assert [row["id"] for row in (await answer.json())["data"]] == [theirs["id"]]
        for hidden in (others, nobodys):
            async with client.post(f"/api/v1/dead-letters/{hidden['id']}/replay", headers=mine) as answer:
                assert answer.status == 404
        body = {"ids": [theirs["id"], others["id"], nobodys["id"]]}
        async with client.post("/api/v1/dead-letters/replay", headers=mine, json=body) as answer:
            outcomes = [one["outcome"] for one in (await answer.json())["data"]]
        assert outcomes == ["replayed", "refused", "refused"]
        assert len((await call(client, "GET"))["data"]) == 3


async def test_a_letter_that_can_be_read_is_shown_decoded(client: Client, database: ClickHouse) -> None:
    value = CODEC.encode("TriggerEvent", records.event())
    letter = await write(database, topic="trigger.events", key=b"k", value=value)
    shown = await call(client, "GET", f"/{letter['id']}")
    assert shown["record"]["trigger_id"] == "delivery-1"
    assert shown["key"] == "k"
