"""Triggers that watch something by themselves: their secrets, and what Google tells."""

from typing import Any

import pytest

from schemas.codec import SingleObjectCodec
from schemas.models import SourceState
from schemas.triggers.google_calendar import channel_token, is_channel_token
from tests.ingress.stand_ins import AUTHORIZED, SECRET_KEY, Client, StandIns
from transport.definitions import SOURCE_STATES

Json = dict[str, Any]

OAUTH = {"client_id": "c", "client_secret": "hush", "refresh_token": "long"}
EMAIL = {"host": "mail.example.com", "username": "u", "password": "secret"}
KAFKA = {
    "bootstrap_servers": "kafka.example.com:9093",
    "topic": "orders",
    "security": {"protocol": "SASL_SSL", "username": "u", "password": "p"},
}


async def call(client: Client, method: str, path: str, status: int, **request: Any) -> Json:
    async with client.request(method, f"/api/v1{path}", headers=AUTHORIZED, **request) as answer:
        assert answer.status == status, await answer.text()
        found: Json = await answer.json(content_type=None)
        return found


async def create(client: Client, workflow_id: str, kind: str, config: Json) -> Json:
    wanted = {"workflow_id": workflow_id, "type": kind, "config": config}
    created: Json = await call(client, "POST", "/triggers", 201, json=wanted)
    return created


@pytest.mark.parametrize(
    ("kind", "config", "secrets"),
    [
        ("EMAIL", EMAIL, ["password"]),
        ("KAFKA", KAFKA, ["security.password"]),
        ("GOOGLE_CALENDAR", {"oauth": OAUTH}, ["oauth.client_secret", "oauth.refresh_token"]),
    ],
)
async def test_secrets_are_masked_and_stored_encrypted(
    client: Client, workflow_id: str, stand_ins: StandIns, kind: str, config: Json, secrets: list[str]
) -> None:
    created = await create(client, workflow_id, kind, config)
    stored = stand_ins.configured.definitions.triggers[created["id"]].config
    for path in secrets:
        shown: Any = created["config"]
        kept: Any = stored
        for name in path.split("."):
            shown, kept = shown[name], kept[name]
        assert shown == "********"
        assert kept.startswith("enc:v1:")


@pytest.mark.parametrize(
    ("kind", "config", "move", "field"),
    [
        ("EMAIL", EMAIL, {"host": "evil.example.com"}, "config.password"),
        ("EMAIL", EMAIL, {"security": "none"}, "config.password"),
        ("KAFKA", KAFKA, {"bootstrap_servers": "evil.example.com:9093"}, "config.security.password"),
    ],
)
async def test_a_stored_secret_goes_to_no_other_server(
    client: Client, workflow_id: str, kind: str, config: Json, move: Json, field: str
) -> None:
    created = await create(client, workflow_id, kind, config)
    path, masked = f"/triggers/{created['id']}", created["config"]
    refused = await call(client, "PATCH", path, 422, json={"config": {**masked, **move}})
    assert [row["field"] for row in refused["errors"]] == [field]
    await call(client, "PATCH", path, 200, json={"config": masked})
    await call(client, "PATCH", path, 200, json={"config": {**config, **move}})


async def notify(client: Client, trigger_id: str, status: int, token: str, state: str = "exists") -> None:
    headers = {"X-Goog-Channel-Token": token, "X-Goog-Resource-State": state, "X-Goog-Channel-ID": "c1"}
    async with client.post(f"/api/v1/google/calendar/{trigger_id}", headers=headers) as answer:
        assert answer.status == status, await answer.text()


async def test_google_tells_whoever_watches_the_calendar(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    created = await create(client, workflow_id, "GOOGLE_CALENDAR", {"oauth": OAUTH})
    token = channel_token(SECRET_KEY, created["id"])
    await notify(client, created["id"], 200, token, "sync")
    assert [s for s in stand_ins.sent.sends if s.topic == "source.commands"] == []
    await notify(client, created["id"], 200, token)
    [sent] = [s for s in stand_ins.sent.sends if s.topic == "source.commands"]
    told = SingleObjectCodec().decode("SourceCommand", sent.value or b"")
    assert (told["source_id"], told["kind"], sent.key) == (created["id"], "LOOK", created["id"].encode())


async def test_nobody_else_tells(client: Client, workflow_id: str, stand_ins: StandIns) -> None:
    created = await create(client, workflow_id, "GOOGLE_CALENDAR", {"oauth": OAUTH})
    mail = await create(client, workflow_id, "EMAIL", EMAIL)
    for trigger_id, token in (
        (created["id"], ""),
        (created["id"], channel_token(SECRET_KEY, mail["id"])),
        (created["id"], "grün"),
        (mail["id"], channel_token(SECRET_KEY, mail["id"])),
        ("gone", channel_token(SECRET_KEY, "gone")),
    ):
        await notify(client, trigger_id, 401, token)
    assert [s for s in stand_ins.sent.sends if s.topic == "source.commands"] == []


def test_a_token_that_is_no_text_is_none() -> None:
    assert not is_channel_token(SECRET_KEY, "id", b"\xff".decode(errors="surrogateescape"))


async def test_a_trigger_shows_how_its_source_is_doing(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    created = await create(client, workflow_id, "EMAIL", EMAIL)
    assert created["source"] is None
    state = SourceState(id=created["id"], status="FAILING", error="mail.example.com:993 is away")
    await stand_ins.configured.put(SOURCE_STATES, state)
    source = (await call(client, "GET", f"/triggers/{created['id']}", 200))["source"]
    assert (source["status"], source["error"]) == ("FAILING", "mail.example.com:993 is away")
