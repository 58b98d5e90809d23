"""Two ingresses on a real broker that change the same thing at the same moment: neither change is lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Message

from ingress.errors import Conflict, NotFound
from ingress.turns import TOPIC, Line, Turns
from schemas.codec import SingleObjectCodec
from schemas.models import App, AppMode
from schemas.topics import HOUR_MS
from tests.integration.test_ingress import GRAPH, Running, ingress, kafka
from tests.integration.test_webhook_paths import eventually
from transport.definitions import APPS
from transport.errors import SendFailed
from transport.feed import DefinitionsFeed
from transport.producer import Position, Producer, Send
from transport.settings import KafkaSettings
from transport.store import definition

__all__ = ["kafka"]

CODEC = SingleObjectCodec()
PLACE = "a workflow"
ROUNDS = 20
LIMIT = {"limit": 5, "period_s": 60}


async def call(running: Running, method: str, path: str, body: Any = None) -> Any:
    async with running.session.request(method, "/api/v1" + path, json=body) as answer:
        assert answer.ok, await answer.text()
        return await answer.json()


async def new_workflow(running: Running, other: Running) -> str:
    """Its id, once both know it."""
    async with running.session.post("/api/v1/workflows/import?publish=true", json=GRAPH) as answer:
        workflow_id = str((await answer.json())["workflow_id"])
    await known(other, f"/workflows/{workflow_id}")
    return workflow_id


async def known(running: Running, path: str) -> None:
    async def status() -> int:
        async with running.session.get("/api/v1" + path) as answer:
            return answer.status

    assert await eventually(status, lambda status: status == 200) == 200


async def test_a_trigger_that_two_ingresses_change_has_both_changes(kafka: KafkaSettings) -> None:
    async with ingress(kafka) as one, ingress(kafka) as other:
        workflow_id = await new_workflow(one, other)
        wanted = {"workflow_id": workflow_id, "config": {"webhook_path": "turns"}}
        path = f"/triggers/{(await call(one, 'POST', '/triggers', wanted))['id']}"
        await known(other, path)
        for n in range(ROUNDS):
            changes = {"name": f"name {n}"}, {"node_id": f"node {n}"}
            await asyncio.gather(
                *(call(at, "PATCH", path, body) for at, body in zip((one, other), changes, strict=True))
            )
            async with ingress(kafka) as later:
                shown = await call(later, "GET", path)
            assert (shown["name"], shown["node_id"]) == (f"name {n}", f"node {n}")


async def test_a_workflow_is_paused_by_one_ingress_and_limited_by_another(kafka: KafkaSettings) -> None:
    async with ingress(kafka) as one, ingress(kafka) as other:
        path = f"/workflows/{await new_workflow(one, other)}"
        for n in range(ROUNDS):
            first, second = (one, other) if n % 2 else (other, one)
            await asyncio.gather(
                call(first, "POST", path + "/pause", {}),
                call(second, "PUT", path + "/flow-control", {"rate_limit": LIMIT}),
            )
            # In its turn, this one knows what both have left.
            await call(first, "PUT", path + "/flow-control", {"throttle": LIMIT})
            shown = await call(first, "GET", path + "/flow-control")
            assert shown["paused"] == "hold"
            await call(second, "POST", path + "/resume", {})


@dataclass
class Order:
    """Turns as an ingress has them, and the topic that they are on."""

    turns: Turns
    producer: Producer
    feed: DefinitionsFeed

    async def tell(self, place: str, lasts_ms: int) -> None:
        """As another ingress does."""
        record = {"place": place, "turn_id": "of another one", "lasts_ms": lasts_ms}
        await self.producer.send(Send(TOPIC, place.encode(), CODEC.encode("Turn", record)))

    async def take(self, raises: type[BaseException] | None = None) -> None:
        async with self.turns.of(PLACE):
            if raises is not None:
                raise raises("in the middle")


@asynccontextmanager
async def order(
    kafka: KafkaSettings, timeout_s: float = 5.0, now: Any = time.monotonic
) -> AsyncIterator[Order]:
    line = Line(CODEC)
    async with DefinitionsFeed(kafka, CODEC, others={TOPIC: line.read}) as feed:
        producer = Producer(kafka)
        try:
            yield Order(Turns(line, feed, producer, CODEC, timeout_s=timeout_s, now=now), producer, feed)
        finally:
            await producer.close()


async def waits(taking: asyncio.Task[None]) -> bool:
    """Whether it is not through, though it could be."""
    return not (await asyncio.wait({taking}, timeout=0.5))[0]


async def test_who_comes_later_waits_until_the_first_has_ended(kafka: KafkaSettings) -> None:
    async with order(kafka) as one:
        await one.tell(PLACE, HOUR_MS)
        taking = asyncio.create_task(one.take())
        assert await waits(taking)
        await one.tell("another place", 0)
        assert await waits(taking)
        await one.tell(PLACE, 0)
        await taking


async def test_a_turn_begins_when_all_is_known_that_was_written_before(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Message] = []
    async with order(kafka) as one:
        apply = one.feed._apply

        def hold(messages: list[Message]) -> None:
            held.extend(message for message in messages if message.topic() == kafka.full_name(APPS))
            apply([message for message in messages if message not in held])

        monkeypatch.setattr(one.feed, "_apply", hold)
        await one.producer.send(
            definition(CODEC, APPS, App(id="a", name="orders", mode=AppMode.WORKFLOW, workflow_id="w"))
        )
        taking = asyncio.create_task(one.take())
        assert await waits(taking)
        assert held
        apply(held)
        await taking


async def test_an_ingress_that_starts_waits_for_those_that_are_at_it(kafka: KafkaSettings) -> None:
    async with order(kafka) as one:
        await one.tell(PLACE, HOUR_MS)
    async with order(kafka) as later:
        taking = asyncio.create_task(later.take())
        assert await waits(taking)
        await later.tell(PLACE, 0)
        await taking


async def test_nobody_waits_for_ever_for_one_that_has_died(kafka: KafkaSettings) -> None:
    async with order(kafka) as one:
        await one.tell(PLACE, 300)
        await one.take()


async def test_who_has_waited_for_long_is_told_to_come_again(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.turns._WAIT_S", 0.2)
    async with ingress(kafka) as running, order(kafka) as other:
        async with running.session.post("/api/v1/workflows/import?publish=true", json=GRAPH) as answer:
            workflow_id = str((await answer.json())["workflow_id"])
        await other.tell(workflow_id, HOUR_MS)
        async with running.session.post(f"/api/v1/workflows/{workflow_id}/pause", json={}) as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
            assert "another change of this takes long" in (await refused.json())["detail"]
        await other.tell(workflow_id, 0)
        await call(running, "POST", f"/workflows/{workflow_id}/pause", {})


@pytest.mark.parametrize("raised", [asyncio.CancelledError, TimeoutError, SendFailed])
async def test_what_may_yet_be_written_is_waited_for(kafka: KafkaSettings, raised: Any) -> None:
    async with order(kafka, timeout_s=HOUR_MS) as one, order(kafka) as other:
        with pytest.raises(raised):
            await one.take(raised)
        taking = asyncio.create_task(other.take())
        assert await waits(taking)
        taking.cancel()
        await asyncio.wait({taking})


async def test_a_refusal_ends_a_turn_at_once(kafka: KafkaSettings) -> None:
    async with order(kafka, timeout_s=HOUR_MS) as one, order(kafka) as other:
        with pytest.raises(NotFound):
            await one.take(NotFound)
        await other.take()


async def test_who_stood_still_for_too_long_is_told(kafka: KafkaSettings) -> None:
    clock = iter((0.0,))
    async with order(kafka, now=lambda: next(clock, 1000.0)) as one:
        with pytest.raises(Conflict, match="look at what there is now"):
            await one.take()


async def test_a_turn_is_ended_though_that_fails_at_first(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with order(kafka, timeout_s=0.1) as one, order(kafka) as other:
        send, failures = one.producer.send, [SendFailed("the broker is away")]

        async def fail(given: Send) -> Position:
            if failures and not CODEC.decode("Turn", given.value)["lasts_ms"]:
                raise failures.pop()
            return await send(given)

        monkeypatch.setattr(one.producer, "send", fail)
        await one.take()
        await other.take()
        assert not failures
