"""What happens in runs, as readers of two ingresses are told it: real broker, real ClickHouse engine."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

import aiohttp
import orjson
import pytest
from obstore.store import MemoryStore
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from cli.sse import EventReader, ServerSentEvent
from ingress.app import build_app
from ingress.server import serve
from ingress.settings import IngressSettings
from schemas.models import DEFAULT_TENANT
from schemas.topics import TOPICS
from sinks.app import Sink
from sinks.settings import SinkSettings
from tests.ingress.live.records import Partition
from tests.sinks.records import CODEC
from transport.admin import create_topics
from transport.clickhouse import ClickHouse
from transport.producer import Producer, Send
from transport.settings import KafkaSettings
from transport.storage import Storage

PATIENCE_S = 120
"""Far more than it takes, so that only what never happens fails."""
RUN = "00000000-0000-4000-8000-000000000011"
OTHER = "00000000-0000-4000-8000-000000000012"
STRANGE = "00000000-0000-4000-8000-000000000013"


class Reader:
    """Of one stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        self._lines = answer.content
        self._events = EventReader()
        self.id = ""

    async def event(self) -> ServerSentEvent | None:
        """The next; None at the end."""
        async with asyncio.timeout(PATIENCE_S):
            while line := await self._lines.readline():
                event = self._events.take(line.decode().rstrip("\n"))
                if event is not None:
                    self.id = event.id
                    return event
        return None

    async def names(self, count: int) -> list[str]:
        """Of so many events, with the index of the node."""
        return [named(event) for _ in range(count) if (event := await self.event()) is not None]

    async def rest(self) -> list[str]:
        """Of all events until the end."""
        found = []
        while event := await self.event():
            found.append(named(event))
        return found


def named(event: ServerSentEvent) -> str:
    body = orjson.loads(event.data)
    assert body["event"] == event.name
    return f"{event.name} {body['data']['index']}" if event.name.startswith("node") else event.name


class Served:
    """An ingress in this loop."""

    def __init__(self, kafka: KafkaSettings, clickhouse: ClickHouse, stack: AsyncExitStack) -> None:
        self._kafka, self._clickhouse, self._stack = kafka, clickhouse, stack
        self._stopping = asyncio.Event()

    async def start(self) -> Self:
        settings = IngressSettings(port=0, api_key=SecretStr("key"), drain_timeout_s=5, overload_delay_s=0)
        listening = asyncio.get_running_loop().create_future()
        app = build_app(settings, self._kafka, Storage(MemoryStore()), self._clickhouse)
        self._serving = asyncio.create_task(serve(app, settings, self._stopping, ready=listening.set_result))
        self._stack.push_async_callback(self.stop)
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({listening, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        session = aiohttp.ClientSession(
            f"http://127.0.0.1:{listening.result()}",
            headers={"Authorization": "Bearer key"},
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._session = await self._stack.enter_async_context(session)
        return self

    async def stop(self) -> None:
        self._stopping.set()
        await self._serving

    @asynccontextmanager
    async def listen(self, path: str, last_id: str = "", key: str = "key") -> AsyncIterator[Reader]:
        headers = {"Authorization": f"Bearer {key}", **({"Last-Event-ID": last_id} if last_id else {})}
        async with self._session.get(f"/api/v1/runs/{path}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            yield Reader(answer)

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        async with self._session.request(method, f"/api/v1/{path}", json=body) as answer:
            assert answer.ok, await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def status(self, path: str, last_id: str = "") -> int:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with self._session.get(f"/api/v1/runs/{path}", headers=headers) as answer:
            return answer.status


class Deployment:
    """Two ingresses, a sink, and what a worker would write."""

    def __init__(self, producer: Producer, one: Served, other: Served, clickhouse: ClickHouse) -> None:
        self.producer, self.one, self.other, self.clickhouse = producer, one, other, clickhouse

    async def write(self, *changes: Any, key: str = "") -> None:
        """Records, durably and in this order."""
        for change in changes:
            record = {**change.record, "tenant_id": change.record.get("tenant") or DEFAULT_TENANT}
            value = CODEC.encode(TOPICS[change.topic].schema or "", record)
            await self.producer.send(Send(change.topic, (key or change.run_id).encode(), value))

    async def write_together(self, *changes: Any) -> None:
        """Likewise, without waiting for each."""
        await asyncio.gather(*(self.write(change) for change in changes))

    async def until_written(self, run_id: str, status: str) -> None:
        """Until the history has the run like that."""
        async with asyncio.timeout(PATIENCE_S):
            sql = "SELECT count() FROM workflow_runs WHERE id = {id:UUID} AND status = {status:String}"
            parameters = {"id": run_id, "status": status}
            while True:
                if (await self.clickhouse.query(sql, parameters)).rows[0][0]:
                    return
                await asyncio.sleep(0.02)


@pytest.fixture
async def deployment(broker: str, topic_prefix: str, clickhouse: ClickHouse) -> AsyncIterator[Deployment]:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=3)
    await create_topics(kafka)
    sink, stop = Sink(SinkSettings(), kafka, CODEC, clickhouse, CollectorRegistry()), asyncio.Event()
    await sink.prepare()
    sinking = asyncio.create_task(sink.run_until(stop))
    async with AsyncExitStack() as stack:
        one, other = [await Served(kafka, clickhouse, stack).start() for _ in range(2)]
        producer = Producer(kafka, message_timeout_s=10)
        stack.push_async_callback(producer.close)
        yield Deployment(producer, one, other, clickhouse)
    stop.set()
    await sinking


async def test_a_run_is_told_as_it_happens_and_goes_on_at_another_ingress(deployment: Deployment) -> None:
    of, one, other = Partition(RUN), deployment.one, deployment.other
    await deployment.write(of.node(1), of.node(2, "running"), of.run())
    async with one.listen(f"{RUN}/events") as reader:
        begun = ["workflow_started", "node_started 1", "node_finished 1", "node_started 2"]
        assert await reader.names(4) == begun
        await deployment.write(of.node(2, revision=2), of.node(3, "running"))
        assert await reader.names(2) == ["node_finished 2", "node_started 3"]
        await one.stop()
        event = await reader.event()
        assert event is not None
        assert orjson.loads(event.data)["reason"] == "draining"
        assert await reader.event() is None
    await deployment.write(of.node(3, revision=2))
    async with other.listen(f"{RUN}/events", reader.id) as again:
        assert await again.names(1) == ["node_finished 3"]
        await deployment.write(of.node(4), of.run("SUCCEEDED", 2, total_steps=4))
        ended = ["node_started 4", "node_finished 4", "workflow_finished"]
        assert await again.rest() == ended
    await deployment.until_written(RUN, "SUCCEEDED")
    async with other.listen(f"{RUN}/events") as late:
        assert await late.rest() == [
            *begun, "node_finished 2", "node_started 3", "node_finished 3", *ended
        ]  # fmt: skip
    async with other.listen(f"{RUN}/events", reader.id) as late:
        assert await late.rest() == ["node_finished 3", *ended]
    assert await other.status(f"{RUN}/events", again.id) == 204
    strange = Partition(STRANGE).run("SUCCEEDED", tenant="another")
    await deployment.write(strange)
    wanted = (f"{STRANGE}/events", "00000000-0000-4000-8000-000000000099/events", "none/events")
    assert await asyncio.gather(*map(other.status, wanted)) == [404, 404, 404]
    assert await other.status(f"{RUN}/events", "something") == 400


async def test_all_runs_that_fit_are_told_as_they_happen(deployment: Deployment) -> None:
    mine: Mapping[str, Any] = {"workflow_id": "mine"}
    first, second, others = Partition(RUN), Partition(OTHER), Partition(STRANGE)
    path = "events?workflow_id=mine"
    failing = "events?status=FAILED&trigger_type=SCHEDULE"
    async with deployment.one.listen(path) as reader, deployment.one.listen(failing) as failures:
        await deployment.write(others.node(1), others.run("SUCCEEDED", total_steps=1))
        await deployment.write(first.node(1, **mine), first.node(2, "running", **mine), first.run(**mine))
        told = ["workflow_started", "node_started 1", "node_finished 1", "node_started 2"]
        assert await reader.names(4) == told
        await deployment.write(first.log("SCHEDULE"), first.run("FAILED", 2, total_steps=2, **mine))
        assert await failures.names(1) == ["workflow_finished"]
    # What has happened meanwhile, some of it in the history by now, and what happens then.
    await deployment.write(second.node(1, **mine), second.run("SUCCEEDED", total_steps=1, **mine))
    await deployment.until_written(OTHER, "SUCCEEDED")
    async with deployment.other.listen(path, reader.id) as again:
        heard = sorted(await again.names(5))
        whole = ["workflow_started", "node_started 1", "node_finished 1", "workflow_finished"]
        assert heard == sorted([*whole, "workflow_finished"])
        await deployment.write(first.node(3, **mine))
        third = Partition(STRANGE)
        await deployment.write(third.node(1, **mine), third.run("SUCCEEDED", total_steps=1, **mine))
        assert await again.names(4) == whole
    assert await deployment.other.status(path, "something") == 400
    assert await deployment.other.status("events?since=2026-01-01") == 400
    assert await deployment.other.status("events?nothing=1") == 400


async def test_a_reader_that_comes_back_after_a_flood_is_told_all_of_it(deployment: Deployment) -> None:
    path, count = "events?version=2026-01-01%2000:00:00.000000", 2500
    async with deployment.one.listen(path) as reader:
        first = Partition(RUN)
        await deployment.write(first.node(1), first.run("SUCCEEDED", total_steps=1))
        assert len(await reader.names(4)) == 4
    for begin in range(0, count, 500):
        runs = [Partition(f"00000000-0000-4000-8000-{20 + n:012}") for n in range(begin, begin + 500)]
        nodes = [of.node(index) for of in runs for index in (1, 2, 3)]
        await deployment.write_together(*nodes, *(of.run("SUCCEEDED", total_steps=3) for of in runs))
    longest = 0
    async with deployment.one.listen(path, reader.id) as again:
        for _ in range(8 * count):
            assert await again.event() is not None
            longest = max(longest, len(again.id))
    assert longest < 8190, "it goes into a header"


async def test_a_stream_ends_with_its_key_and_when_its_tenant_is_erased(deployment: Deployment) -> None:
    one = deployment.one
    key = await one.ask("POST", "api-keys", {"name": "reader", "permissions": ["read"]})
    async with one.listen("events", key=key["token"]) as reader, one.listen("events") as operator:
        await one.ask("DELETE", f"api-keys/{key['id']}")
        assert await refused(reader) == "the API key is unknown or has been revoked"
        await one.ask("POST", "erasures", {"tenant_id": DEFAULT_TENANT})
        assert await refused(operator) == "the data of this tenant is being erased"


async def refused(reader: Reader) -> str:
    event = await reader.event()
    assert event is not None
    told = orjson.loads(event.data)
    assert (event.name, told["reason"]) == ("stream_ended", "refused")
    assert await reader.event() is None
    return str(told["detail"])
