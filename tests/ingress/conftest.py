"""A client of an ingress that keeps everything in memory."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from tests.ingress.stand_ins import (
    AUTHORIZED,
    GRAPH,
    Client,
    NewWebhook,
    Server,
    StandIns,
    assemble,
    new_settings,
)


@pytest.fixture
def stand_ins() -> StandIns:
    return StandIns()


@pytest.fixture
async def client(stand_ins: StandIns) -> AsyncIterator[Client]:
    app = assemble(stand_ins, new_settings(max_body_bytes=4096, upload_image_bytes=100))
    async with TestClient(Server(app)) as client:
        yield client


@pytest.fixture
async def workflow_id(client: Client) -> str:
    """Of a published workflow."""
    path = "/api/v1/workflows/import?app=orders&publish=true"
    async with client.post(path, json=GRAPH, headers=AUTHORIZED) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["workflow_id"])


@pytest.fixture
def new_webhook(client: Client, workflow_id: str) -> NewWebhook:
    """Creates a trigger with a config and gives the path of its endpoint."""

    async def create(**config: Any) -> str:
        wanted = {"workflow_id": workflow_id, "config": config}
        async with client.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
            assert answer.status == 201, await answer.text()
            return "/triggers/webhook/" + str((await answer.json())["config"]["webhook_id"])

    return create
