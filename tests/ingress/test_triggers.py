"""Configuring triggers and API keys over HTTP, and who may."""

from typing import Any

import pytest

from ingress.sealing import MASK
from schemas.codec import SingleObjectCodec
from schemas.ids import new_id
from schemas.models import ApiKey
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import API_KEY, SECRET_KEY, Client, StandIns
from transport.definitions import API_KEYS, TRIGGERS

Json = dict[str, Any]
SIGNED = {"scheme": "github", "secrets": ["one", "two"]}


async def call(
    client: Client, method: str, path: str, status: int, token: str = API_KEY, **request: Any
) -> Json:
    """The JSON of a call with `token`; empty for an empty answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with client.request(method, f"/api/v1{path}", headers=headers, **request) as answer:
        assert answer.status == status, await answer.text()
        document: Json = await answer.json(content_type=None) if answer.content_length else {}
    return document


def stored_secrets(stand_ins: StandIns, trigger_id: str) -> list[str]:
    """The signing secrets as the topic has them, decrypted."""
    trigger = stand_ins.configured.definitions.triggers[trigger_id]
    box = SecretBox(SECRET_KEY.encode())
    return [box.decrypt(trigger.tenant_id, secret) for secret in trigger.config["signature"]["secrets"]]


async def test_a_trigger_has_an_unguessable_url_and_masked_secrets(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    wanted = {"workflow_id": workflow_id, "name": "push", "config": {"signature": SIGNED}}
    created = await call(client, "POST", "/triggers", 201, json=wanted)
    webhook_id = created["config"]["webhook_id"]
    assert len(webhook_id) >= 24
    assert created["url"].endswith(f"/triggers/webhook/{webhook_id}")
    assert created["config"]["signature"]["secrets"] == [MASK, MASK]
    assert stored_secrets(stand_ins, created["id"]) == ["one", "two"]
    assert await call(client, "GET", f"/triggers/{created['id']}", 200) == created
    assert (await call(client, "GET", f"/triggers?workflow_id={workflow_id}", 200))["data"] == [created]
    assert (await call(client, "GET", "/triggers?workflow_id=other", 200))["data"] == []


async def test_a_secret_is_rotated_by_sending_the_mask_for_the_one_that_stays(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    wanted = {"workflow_id": workflow_id, "config": {"signature": SIGNED}}
    created = await call(client, "POST", "/triggers", 201, json=wanted)
    path = f"/triggers/{created['id']}"
    rotated = {"signature": {"scheme": "github", "secrets": [MASK, "three"]}}
    changed = await call(client, "PATCH", path, 200, json={"name": "renamed", "config": rotated})
    assert stored_secrets(stand_ins, created["id"]) == ["one", "three"]
    assert (changed["name"], changed["url"]) == ("renamed", created["url"])
    too_many = {"signature": {"scheme": "github", "secrets": [MASK, MASK, MASK]}}
    refused = await call(client, "PATCH", path, 422, json={"config": too_many})
    assert refused["errors"][0]["field"] == "config.signature.secrets.2"


async def test_a_changed_trigger_is_in_force_at_once(client: Client, workflow_id: str) -> None:
    created = await call(client, "POST", "/triggers", 201, json={"workflow_id": workflow_id})
    hook = f"/triggers/webhook/{created['config']['webhook_id']}"
    async with client.put(hook) as answer:
        assert answer.status == 405
    change = {"config": {"allowed_methods": ["PUT"]}}
    await call(client, "PATCH", f"/triggers/{created['id']}", 200, json=change)
    async with client.put(hook) as answer:
        assert answer.status == 202


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"allowed_methods": ["BREW"]}, "config.allowed_methods.0"),
        ({"webhook_id": "short"}, "config.webhook_id"),
        ({"colour": 1}, "config.colour"),
        (
            {"signature": {"scheme": "standard-webhooks", "secrets": ["no base64!"]}},
            "config.signature.secrets",
        ),
        ({"signature": {"scheme": "github", "secrets": []}}, "config.signature.secrets"),
    ],
)
async def test_a_wrong_config_names_the_field(
    config: Json, field: str, client: Client, workflow_id: str
) -> None:
    wanted = {"workflow_id": workflow_id, "config": config}
    refused = await call(client, "POST", "/triggers", 422, json=wanted)
    assert [row["field"] for row in refused["errors"]] == [field]


async def test_a_webhook_id_is_unique_and_stays(client: Client, workflow_id: str) -> None:
    wanted = {"workflow_id": workflow_id, "config": {"webhook_id": "x" * 16}}
    created = await call(client, "POST", "/triggers", 201, json=wanted)
    await call(client, "POST", "/triggers", 409, json=wanted)
    other = {"config": {"webhook_id": "y" * 16}}
    await call(client, "PATCH", f"/triggers/{created['id']}", 409, json=other)
    await call(client, "POST", "/triggers", 404, json={"workflow_id": "unknown"})
    await call(client, "GET", "/triggers/unknown", 404)


async def test_pause_resume_delete(client: Client, workflow_id: str) -> None:
    created = await call(client, "POST", "/triggers", 201, json={"workflow_id": workflow_id})
    path = f"/triggers/{created['id']}"
    assert (await call(client, "POST", f"{path}/pause", 200))["status"] == "PAUSED"
    assert (await call(client, "POST", f"{path}/resume", 200))["status"] == "ACTIVE"
    await call(client, "DELETE", path, 204)
    await call(client, "GET", path, 404)


async def test_an_api_key_works_until_it_is_revoked(client: Client, stand_ins: StandIns) -> None:
    created = await call(client, "POST", "/api-keys", 201, json={"name": "ci"})
    token = created["token"]
    (listed,) = (await call(client, "GET", "/api-keys", 200, token=token))["data"]
    assert listed == {k: v for k, v in created.items() if k != "token"}
    assert token not in str(stand_ins.configured.definitions.api_keys)
    await call(client, "DELETE", f"/api-keys/{created['id']}", 204)
    await call(client, "GET", "/api-keys", 401, token=token)
    await call(client, "DELETE", f"/api-keys/{created['id']}", 404)


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic Zmlyc3Qta2V5", f"bearer{API_KEY}"])
async def test_the_control_plane_wants_a_key(header: str | None, client: Client) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with client.get("/api/v1/workflows", headers=headers) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert answer.content_type == "application/problem+json"


async def test_tenants_do_not_see_each_other(client: Client, workflow_id: str, stand_ins: StandIns) -> None:
    created = await call(client, "POST", "/triggers", 201, json={"workflow_id": workflow_id})
    token = "key of another tenant"
    key = ApiKey(id=new_id(), tenant_id=new_id(), name="other", sha256=ApiKey.digest(token))
    await stand_ins.configured.put(API_KEYS, key)
    for path in ("/workflows", "/triggers"):
        assert (await call(client, "GET", path, 200, token=token))["data"] == []
    assert len((await call(client, "GET", "/api-keys", 200, token=token))["data"]) == 1
    for path in (
        f"/workflows/{workflow_id}",
        f"/workflows/{workflow_id}/export",
        f"/triggers/{created['id']}",
    ):
        await call(client, "GET", path, 404, token=token)
    start = f"/triggers/workflows/{workflow_id}/manual"
    await call(client, "POST", start, 404, token=token)
    wanted = {"workflow_id": workflow_id}
    await call(client, "POST", "/triggers", 404, token=token, json=wanted)


def told(stand_ins: StandIns) -> list[tuple[str, str]]:
    """(schedule id, kind) of every command to a schedule."""
    sent = [s for s in stand_ins.sent.sends if s.topic == "schedule.commands"]
    commands = [SingleObjectCodec().decode("ScheduleCommand", s.value or b"") for s in sent]
    return [(command["schedule_id"], command["kind"]) for command in commands]


async def test_a_schedule_shows_when_it_fires_and_the_clock_is_told(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    config = {"cron": "30 2 29 2 *", "timezone": "Europe/Berlin", "external_id": "leap"}
    wanted = {"workflow_id": workflow_id, "type": "SCHEDULE", "config": config}
    created = await call(client, "POST", "/triggers", 201, json=wanted)
    assert created["url"] is None
    assert len(created["next_times"]) == 5
    assert all("-02-29T01:30:00Z" in at for at in created["next_times"])
    again = await call(client, "POST", "/triggers", 200, json={**wanted, "name": "every leap year"})
    assert (again["id"], again["name"]) == (created["id"], "every leap year")
    path = f"/triggers/{created['id']}"
    paused = await call(client, "POST", f"{path}/pause", 200)
    assert paused["next_times"] == []
    await call(client, "PATCH", path, 409, json={"config": {"cron": "@daily", "external_id": "other"}})
    changed = await call(client, "PATCH", path, 200, json={"config": {"cron": "@daily"}, "status": "ACTIVE"})
    assert changed["config"]["external_id"] == "leap"
    await call(client, "DELETE", path, 204)
    assert told(stand_ins) == [(created["id"], kind) for kind in ("SET", "SET", "SET", "SET", "REMOVE")]


@pytest.mark.parametrize(
    ("config", "why"), [({}, "give one of cron"), ({"cron": "x"}, "five fields"), ({"every": 5}, "Extra")]
)
async def test_a_wrong_schedule_is_refused(client: Client, workflow_id: str, config: Json, why: str) -> None:
    wanted = {"workflow_id": workflow_id, "type": "SCHEDULE", "config": config}
    refused = await call(client, "POST", "/triggers", 422, json=wanted)
    assert why in refused["errors"][0]["why"]


async def test_a_range_of_the_past_is_filled_once_under_one_id(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    wanted = {"workflow_id": workflow_id, "type": "SCHEDULE", "config": {"interval_s": 60}}
    created = await call(client, "POST", "/triggers", 201, json=wanted)
    path, span = f"/triggers/{created['id']}/backfill", {"start": "2026-01-01T00:00Z"}
    first = await call(client, "POST", path, 202, json={**span, "end": "2026-01-02T00:00Z"})
    assert first == await call(client, "POST", path, 202, json={**span, "end": "2026-01-02T00:00Z"})
    assert told(stand_ins)[1:] == [(created["id"], "BACKFILL")] * 2
    await call(client, "POST", path, 422, json={**span, "end": "2025-12-31T00:00Z"})
    await call(client, "POST", path, 422, json={**span, "end": "2999-01-01T00:00Z"})
    webhook = await call(client, "POST", "/triggers", 201, json={"workflow_id": workflow_id})
    await call(
        client,
        "POST",
        f"/triggers/{webhook['id']}/backfill",
        409,
        json={**span, "end": "2026-01-02T00:00Z"},
    )


async def test_nobody_replaces_a_schedule_of_another_tenant(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    wanted = {
        "workflow_id": workflow_id,
        "type": "SCHEDULE",
        "config": {"interval_s": 60, "external_id": "b/c"},
    }
    created = await call(client, "POST", "/triggers", 201, json=wanted)
    mine = stand_ins.configured.definitions.triggers[created["id"]]
    theirs = mine.model_copy(update={"tenant_id": f"{mine.tenant_id}/b"})
    await stand_ins.configured.put(TRIGGERS, theirs)
    await call(client, "POST", "/triggers", 409, json=wanted)
    assert stand_ins.configured.definitions.triggers[created["id"]] == theirs
