"""Two ingresses that want the same address, or name, at the same moment: one gets it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient

from schemas.models import DEFAULT_TENANT, Entity, ModelProvider
from tests.ingress.stand_ins import (
    AUTHORIZED,
    GRAPH,
    Client,
    Configured,
    Server,
    StandIns,
    assemble,
    new_settings,
)
from transport.definitions import MODELS

Json = dict[str, Any]
Log = list[tuple[str, str, bytes | None]]

ID = "0123456789abcdef"


@dataclass
class Follower(Configured):
    """An ingress's view of a log that others write to as well: it reads on when it has written itself."""

    log: Log = field(default_factory=list)
    read: int = 0

    async def put(self, topic: str, *entities: Entity) -> None:
        for entity in entities:
            body = entity.model_dump_json(exclude={"graph_hash"}).encode()
            self.log.append((topic, entity.key, body))
        await self.catch_up()

    async def delete(self, topic: str, *keys: str) -> None:
        self.log += [(topic, key, None) for key in keys]
        await self.catch_up()

    async def catch_up(self) -> None:
        # What it has written is acknowledged first, so that the other one may write in between.
        await asyncio.sleep(0)
        for offset in range(self.read, len(self.log)):
            topic, key, body = self.log[offset]
            entity = None if body is None else MODELS[topic].model_validate(orjson.loads(body))
            self.definitions.apply(topic, key, entity, offset)
        self.read = len(self.log)


@pytest.fixture
async def two() -> AsyncIterator[tuple[list[Client], list[Follower], str]]:
    """Two ingresses on one log, their views of it, and a workflow that both know."""
    log: Log = []
    followers = [Follower(log=log), Follower(log=log)]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                TestClient(Server(assemble(StandIns(configured=follower), new_settings())))
            )
            for follower in followers
        ]
        path = "/api/v1/workflows/import?app=orders&publish=true"
        async with clients[0].post(path, json=GRAPH, headers=AUTHORIZED) as answer:
            workflow_id = (await answer.json())["workflow_id"]
        await followers[1].catch_up()
        yield clients, followers, workflow_id


async def create(client: Client, workflow_id: str, **config: Any) -> tuple[int, Json]:
    wanted = {"workflow_id": workflow_id, "config": config}
    async with client.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("config", [{"webhook_path": "orders"}, {"webhook_id": ID}])
async def test_the_first_in_the_log_wins_and_the_other_one_is_told(
    two: tuple[list[Client], list[Follower], str], config: Json
) -> None:
    clients, followers, workflow_id = two
    first_status, first = await create(clients[0], workflow_id, **config)
    assert first_status == 201
    assert followers[1].definitions.triggers == {}, "the second one does not know of the first"
    second_status, second = await create(clients[1], workflow_id, **config)
    assert second_status == 409, second
    for follower in followers:
        await follower.catch_up()
        holder = follower.definitions.at("WEBHOOK", next(iter(config.values())))
        assert holder is not None
        assert holder.id == first["id"]
        assert list(follower.definitions.triggers) == [first["id"]]


async def test_who_is_about_to_take_it_by_a_change_keeps_what_there_was(
    two: tuple[list[Client], list[Follower], str],
) -> None:
    clients, followers, workflow_id = two
    _, second = await create(clients[1], workflow_id, webhook_path="invoices")
    assert (await create(clients[0], workflow_id, webhook_path="orders"))[0] == 201
    path, change = f"/api/v1/triggers/{second['id']}", {"config": {"webhook_path": "orders"}}
    async with clients[1].patch(path, json=change, headers=AUTHORIZED) as answer:
        assert answer.status == 409
    await followers[0].catch_up()
    for follower in followers:
        kept = follower.definitions.at("WEBHOOK", "invoices")
        assert kept is not None
        assert kept.id == second["id"]


async def test_of_many_at_once_one_succeeds(two: tuple[list[Client], list[Follower], str]) -> None:
    clients, followers, workflow_id = two
    wanted = [create(clients[n % 2], workflow_id, webhook_path="orders") for n in range(20)]
    statuses = [status for status, _ in await asyncio.gather(*wanted)]
    assert sorted(statuses) == [201] + [409] * 19
    for follower in followers:
        await follower.catch_up()
        assert len(follower.definitions.triggers) == 1


async def create_provider(client: Client, key: str) -> int:
    wanted = {"name": "same", "base_url": "https://x.example/v1", "credentials": {"api_key": key}}
    async with client.post("/api/v1/model-providers", json=wanted, headers=AUTHORIZED) as answer:
        return answer.status


async def test_of_many_providers_of_one_name_one_is_created(
    two: tuple[list[Client], list[Follower], str],
) -> None:
    clients, followers, _ = two
    statuses = await asyncio.gather(*(create_provider(clients[n % 2], f"sk-{n}") for n in range(20)))
    assert sorted(statuses) == [201] + [409] * 19
    for follower in followers:
        await follower.catch_up()
        assert len(follower.definitions.providers(ModelProvider, DEFAULT_TENANT)) == 1


async def test_of_two_providers_of_one_name_the_first_in_the_log_is_kept(
    two: tuple[list[Client], list[Follower], str],
) -> None:
    clients, followers, _ = two
    assert await create_provider(clients[0], "sk-1") == 201
    assert followers[1].definitions.providers(ModelProvider, DEFAULT_TENANT) == []
    assert await create_provider(clients[1], "sk-2") == 409
    await followers[0].catch_up()
    kept = [follower.definitions.providers(ModelProvider, DEFAULT_TENANT) for follower in followers]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 1
