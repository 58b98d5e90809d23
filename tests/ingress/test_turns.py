"""Several changes of one thing at the same moment: none of them is lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from tests.ingress.stand_ins import AUTHORIZED, Client, Server, StandIns, assemble, new_settings
from tests.ingress.test_claims import Follower


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
