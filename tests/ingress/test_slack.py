"""Requests of Slack over HTTP: who they are for, what they become, and how fast they are answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson
import pytest
from aiohttp.test_utils import TestClient
from pydantic import SecretStr

import ingress.slack
from tests.ingress.provider_clients import SIGNING_SECRET, connect_slack, deliver_slack
from tests.ingress.stand_ins import Client, Sent, Server, StandIns, assemble, new_settings
from tests.schemas.triggers.slack_samples import COMMAND, INTERACTION, message
from transport.producer import Position, Send

PATH = "/api/v1/slack/events"
APP = "A123ABC456"


def now_s() -> int:
    return int(time.time())


async def test_an_event_is_durable_and_the_answer_empty(client: Client, stand_ins: StandIns) -> None:
    await connect_slack(client, app_id=APP)
    assert await deliver_slack(client, PATH, message("hi"), at_s=now_s()) == (200, b"")
    [event] = stand_ins.sent.events()
    assert (event["trigger_type"], event["index_key"], event["trigger_id"]) == (
        "SLACK", "T123ABC456", "Ev123ABC456",
    )  # fmt: skip
    assert orjson.loads(event["data"])["body"]["event"]["text"] == "hi"


async def test_a_retry_is_the_same_event(client: Client, stand_ins: StandIns) -> None:
    await connect_slack(client, app_id=APP)
    headers = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    for given in ({}, headers):
        assert (await deliver_slack(client, PATH, message(), at_s=now_s(), **given))[0] == 200
    first, again = stand_ins.sent.events()
    assert first["dedup_key"] == again["dedup_key"]
    assert orjson.loads(again["data"])["metadata"]["retry_num"] == "1"


async def test_the_challenge_is_answered_to_who_knows_the_secret(client: Client, stand_ins: StandIns) -> None:
    challenge = {"type": "url_verification", "token": "x", "challenge": "3eZbrw1aBm2r"}
    shown = await connect_slack(client)
    for path in (PATH, shown["path"]):
        status, body = await deliver_slack(client, path, challenge, at_s=now_s())
        assert (status, orjson.loads(body)) == (200, {"challenge": "3eZbrw1aBm2r"})
        assert (await deliver_slack(client, path, challenge, secret="other", at_s=now_s()))[0] == 401
    assert stand_ins.sent.events() == []


async def test_a_long_request_that_names_no_app_is_held_against_no_tenants_secret(client: Client) -> None:
    await connect_slack(client)
    long = {"type": "url_verification", "challenge": "x" * 1900}
    assert (await deliver_slack(client, PATH, {**long, "more": "x" * 200}, at_s=now_s()))[0] == 401
    assert (await deliver_slack(client, PATH, long, at_s=now_s()))[0] == 200


@pytest.mark.parametrize("away_s", [-320, 320])
async def test_what_is_too_old_or_from_the_future_is_refused(client: Client, away_s: int) -> None:
    await connect_slack(client, app_id=APP)
    status, problem = await deliver_slack(client, PATH, message(), at_s=now_s() + away_s)
    assert (status, "more than 300 s" in orjson.loads(problem)["detail"]) == (401, True)


async def test_buttons_and_commands(client: Client, stand_ins: StandIns) -> None:
    await connect_slack(client, app_id=APP)
    payload = urlencode({"payload": orjson.dumps(INTERACTION).decode()}).encode()
    for body in (payload, urlencode(COMMAND).encode()):
        assert await deliver_slack(client, PATH, body, at_s=now_s()) == (200, b"")
    assert [event["event_type"] for event in stand_ins.sent.events()] == ["block_actions", "slash_command"]


async def test_an_app_that_nobody_has_connected(client: Client) -> None:
    await connect_slack(client, app_id="A9")
    assert (await deliver_slack(client, PATH, message(), at_s=now_s()))[0] == 401
    assert (await deliver_slack(client, PATH + "/nobody", message(), at_s=now_s()))[0] == 404


async def test_a_connection_without_an_app_has_its_own_address(client: Client, stand_ins: StandIns) -> None:
    shown = await connect_slack(client, team_id="T999")
    assert await deliver_slack(client, shown["path"], message(), at_s=now_s()) == (200, b"")
    assert stand_ins.sent.events() == []  # of another workspace
    shown = await connect_slack(client, "other")
    assert await deliver_slack(client, shown["path"], message(), at_s=now_s()) == (200, b"")
    assert len(stand_ins.sent.events()) == 1


async def test_the_app_of_the_deployment(stand_ins: StandIns) -> None:
    settings = new_settings(slack_signing_secret=SecretStr(SIGNING_SECRET))
    async with TestClient(Server(assemble(stand_ins, settings))) as client:
        assert (await deliver_slack(client, PATH, message(), at_s=now_s()))[0] == 200
        assert (await deliver_slack(client, PATH, message(), secret="x", at_s=now_s()))[0] == 401


async def test_what_is_no_request_of_slack(client: Client) -> None:
    shown = await connect_slack(client)
    assert (await deliver_slack(client, shown["path"], [1], at_s=now_s()))[0] == 400


@dataclass
class Slow(Sent):
    """A broker that does not acknowledge."""

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        if any(send.topic == "trigger.events" for send in sends):
            await asyncio.Event().wait()
        return await super().send_all(sends)


@pytest.fixture
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr(ingress.slack, "ANSWER_S", 0.05)
    stand_ins = StandIns(sent=Slow())
    async with TestClient(Server(assemble(stand_ins, new_settings()))) as client:
        yield client


async def test_a_slow_broker_is_answered_for_before_slack_gives_up(slow: Client) -> None:
    assert ingress.slack.ANSWER_S < 3
    shown = await connect_slack(slow)
    status, problem = await deliver_slack(slow, shown["path"], message(), at_s=now_s())
    assert (status, orjson.loads(problem)["status"]) == (503, 503)


def test_slack_waits_longer_than_the_answer_takes() -> None:
    assert ingress.slack.ANSWER_S <= 2.5
