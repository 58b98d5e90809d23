"""Several changes of one thing at the same moment: none of them is lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp.test_utils import TestClient
from confluent_kafka import Message

from ingress.keys import FEED
from ingress.turns import TOPIC, Line
from schemas.codec import SingleObjectCodec
from schemas.models import DEFAULT_TENANT, ModelProvider
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import (
    AUTHORIZED,
    GRAPH,
    SECRET_KEY,
    Client,
    Server,
    StandIns,
    assemble,
    new_settings,
)
from tests.ingress.test_claims import Follower
from tests.transport.test_feed import Arrived

CODEC = SingleObjectCodec()
BOX = SecretBox(SECRET_KEY.encode())


class Late(Follower):
    """Its log is read some time after it was written."""

    async def catch_up(self) -> None:
        await asyncio.sleep(0.02)
        await super().catch_up()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = assemble(StandIns(configured=Late()), new_settings())
    async with TestClient(Server(app)) as client:
        yield client


async def send(client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with client.request(method, "/api/v1" + path, json=body, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


async def test_a_trigger_is_renamed_and_paused_at_once(client: Client, workflow_id: str) -> None:
    _, trigger = await send(client, "POST", "/triggers", {"workflow_id": workflow_id, "config": {}})
    path = f"/triggers/{trigger['id']}"
    await asyncio.gather(
        send(client, "PATCH", path, {"name": "orders"}),
        send(client, "POST", path + "/pause"),
        send(client, "PATCH", path, {"config": {"dedup_window_s": 5}}),
    )
    _, shown = await send(client, "GET", path)
    assert (shown["name"], shown["status"], shown["config"]["dedup_window_s"]) == ("orders", "PAUSED", 5)


async def test_the_secret_of_a_trigger_that_was_changed_does_not_come_back(
    client: Client, workflow_id: str
) -> None:
    def config(secret: str) -> dict[str, Any]:
        return {"config": {"signature": {"scheme": "github", "secrets": [secret]}}}

    wanted = {"workflow_id": workflow_id, **config("old")}
    status, trigger = await send(client, "POST", "/triggers", wanted)
    assert status == 201, trigger
    path = f"/triggers/{trigger['id']}"
    answers = await asyncio.gather(
        *(send(client, "PATCH", path, config(secret)) for secret in ("new", "********"))
    )
    assert [status for status, _ in answers] == [200, 200]
    stored = client.app[FEED].definitions.triggers[trigger["id"]].config["signature"]["secrets"]
    assert [BOX.decrypt(DEFAULT_TENANT, one) for one in stored] == ["new"]


async def test_what_is_changed_and_deleted_at_once_is_gone(client: Client, workflow_id: str) -> None:
    _, trigger = await send(client, "POST", "/triggers", {"workflow_id": workflow_id, "config": {}})
    path = f"/triggers/{trigger['id']}"
    answers = await asyncio.gather(
        send(client, "DELETE", path),
        *(send(client, "PATCH", path, {"name": str(n)}) for n in range(5)),
    )
    assert answers[0][0] == 204
    assert (await send(client, "GET", path))[0] == 404


async def test_a_workflow_is_limited_and_paused_at_once(client: Client, workflow_id: str) -> None:
    path, limit = f"/workflows/{workflow_id}", {"limit": 5, "period_s": 60}
    for first in (True, False):
        changes = [("PUT", "/flow-control", {"rate_limit": limit}), ("POST", "/pause", {})]
        ordered = changes if first else reversed(changes)
        await asyncio.gather(*(send(client, method, path + to, body) for method, to, body in ordered))
        _, shown = await send(client, "GET", path + "/flow-control")
        assert (shown["paused"], shown["rate_limit"] is not None) == ("hold", True), shown
        await send(client, "POST", path + "/resume")
        await send(client, "PUT", path + "/flow-control", {})


async def test_a_pause_outlives_a_deployment(client: Client, workflow_id: str) -> None:
    _, trigger = await send(client, "POST", "/triggers", {"workflow_id": workflow_id, "config": {}})
    await asyncio.gather(
        send(client, "POST", f"/deployment/workflows/{workflow_id}/deploy", {}),
        send(client, "POST", f"/triggers/{trigger['id']}/pause"),
        send(client, "POST", f"/deployment/workflows/{workflow_id}/undeploy"),
    )
    _, shown = await send(client, "GET", f"/triggers/{trigger['id']}")
    assert shown["status"] == "PAUSED"


@pytest.mark.parametrize("deletes", [False, True])
async def test_a_key_that_was_changed_or_deleted_does_not_come_back(client: Client, deletes: bool) -> None:
    path, given = "/model-providers", {"name": "x", "base_url": "https://x.example/v1"}
    await send(client, "POST", path, {**given, "credentials": {"api_key": "old"}})
    kept = {**given, "credentials": {"api_key": "********"}, "max_retries": 1}
    first = (
        send(client, "DELETE", path + "/x")
        if deletes
        else send(client, "PUT", path + "/x", {**given, "credentials": {"api_key": "new"}})
    )
    answers = await asyncio.gather(first, *(send(client, "PUT", path + "/x", kept) for _ in range(5)))
    assert answers[0][0] == (204 if deletes else 200)
    known = client.app[FEED].definitions.provider(ModelProvider, DEFAULT_TENANT, "x")
    keys = [] if known is None else [BOX.decrypt(DEFAULT_TENANT, known.credentials["api_key"])]
    assert keys == ([] if deletes else ["new"])


async def test_what_is_published_at_once_is_one_version(client: Client, workflow_id: str) -> None:
    changed = {"graph": {**GRAPH, "viewport": {"zoom": 2}}}
    assert (await send(client, "PUT", f"/workflows/{workflow_id}/draft", changed))[0] == 200
    path = f"/workflows/{workflow_id}/publish"
    answers = await asyncio.gather(*(send(client, "POST", path, {}) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200] * 4 + [201]
    assert len({published["version"] for _, published in answers}) == 1


async def test_what_is_imported_at_once_is_created_once(client: Client) -> None:
    path = "/workflows/import?app=invoices&publish=true"
    answers = await asyncio.gather(*(send(client, "POST", path, GRAPH) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200] * 4 + [201]
    assert len({imported["version"] for _, imported in answers}) == 1


async def test_a_secret_that_was_changed_does_not_come_back(client: Client, workflow_id: str) -> None:
    path = f"/workflows/{workflow_id}/draft"

    def draft(secret: str) -> dict[str, Any]:
        variable = {"id": "k", "name": "KEY", "value_type": "secret", "value": secret}
        return {"graph": GRAPH, "environment_variables": [variable]}

    await send(client, "PUT", path, draft("old"))
    await asyncio.gather(*(send(client, "PUT", path, draft(secret)) for secret in ("new", "********")))
    stored = client.app[FEED].definitions.versions(workflow_id)["draft"].environment_variables
    assert BOX.decrypt(DEFAULT_TENANT, stored[0]["value"]) == "new"


def test_a_turn_that_is_over_before_it_begins_never_begins() -> None:
    clock = [0.0]
    line = Line(CODEC, now=lambda: clock[0])
    for offset, (turn_id, lasts_ms) in enumerate((("first", 20_000), ("second", 10_000))):
        record = {"place": "w", "turn_id": turn_id, "lasts_ms": lasts_ms}
        line.read(cast(Message, Arrived(TOPIC, offset, b"w", CODEC.encode("Turn", record))))
    assert (line.ahead_s("w", "first"), line.ahead_s("w", "second")) == (None, 20)
    clock[0] = 25
    with pytest.raises(TimeoutError):
        line.ahead_s("w", "second")
