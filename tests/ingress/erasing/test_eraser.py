"""Carrying out a request, on rows that the sink has written and objects in memory."""

import asyncio
import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest
from obstore.store import MemoryStore

from ingress.assembly import Assembler
from ingress.erasing.beside import PATIENT
from ingress.erasing.eraser import Eraser, Pace, Reach, TakenOver
from ingress.erasing.objects import delete_objects
from ingress.erasing.rows import delete_rows
from ingress.history import History
from schemas.codec import SingleObjectCodec
from schemas.models import (
    ApiKey,
    App,
    AppTrigger,
    Entity,
    Erasure,
    ErasureStatus,
    Workflow,
    WorkflowType,
    utc_now,
)
from schemas.topics import TOPICS
from sinks.graphs import Graphs
from sinks.table import TABLES, Table
from tests.ingress.stand_ins import Configured, Sent
from tests.sinks import records
from tests.sinks.records import CODEC, TENANT, message
from transport.clickhouse import ClickHouse
from transport.definitions import API_KEYS, APPS, ERASURES, TRIGGERS, WORKFLOWS
from transport.errors import StorageUnavailable
from transport.producer import Send
from transport.storage import Storage
from transport.values import ValueStore

OTHERS = "00000000-0000-0000-0000-0000000000ff"
OBJECTS = (f"files/{TENANT}/f", f"files/{TENANT}/f.json", f"values/{TENANT}/run/digest")
GRAPHS = {TENANT: {"nodes": [{"id": "own"}]}, OTHERS: {"nodes": [{"id": "others"}]}}


class Kept(Configured):
    """Definitions that know whose they are."""

    def __init__(self) -> None:
        super().__init__()
        self.entities: dict[tuple[str, str], Entity] = {}
        self.told: list[Erasure] = []

    async def put(self, topic: str, *entities: Entity) -> None:
        await super().put(topic, *entities)
        self.entities |= {(topic, one.key): one for one in entities}
        self.told += [one for one in entities if isinstance(one, Erasure)]

    async def delete(self, topic: str, *keys: str) -> None:
        await super().delete(topic, *keys)
        for key in keys:
            del self.entities[topic, key]

    def keys_of(self, tenant_id: str) -> list[tuple[str, str]]:
        return [where for where, one in self.entities.items() if one.tenant_id == tenant_id]


class World:
    """Two tenants with the same of everything."""

    def __init__(self, database: ClickHouse) -> None:
        self.clickhouse = database
        self._offsets = itertools.count()
        self.storage = Storage(MemoryStore())
        self.kept, self.sent = Kept(), Sent()
        self.history = History(database, Assembler(ValueStore(self.storage)), limits=PATIENT)

    async def fill(self) -> None:
        for tenant_id in (TENANT, OTHERS):
            graph_hash = await self._configure(tenant_id)
            run = records.run(tenant_id=tenant_id, graph_hash=graph_hash)
            ended = records.run(tenant_id=tenant_id, graph_hash=graph_hash, status="FAILED")
            await self.write("runs", run, ended, {**ended, "revision": 2})
            of_run = {"tenant_id": tenant_id, "workflow_run_id": run["id"]}
            await self.write("node.executions", records.node(**of_run))
            await self.write("trigger.logs", records.trigger_log(**of_run))
            await self.write("trigger.events", records.event(tenant_id=tenant_id))
            await self.write("dead.letters", records.dead_letter(tenant_id=tenant_id))
        for key in OBJECTS:
            await self.storage.put(key, b"x")
            await self.storage.put(key.replace(TENANT, OTHERS), b"x")

    async def _configure(self, tenant_id: str) -> str:
        named: dict[str, Any] = {"tenant_id": tenant_id, "id": f"of-{tenant_id}"}
        graph = GRAPHS[tenant_id]
        workflow = Workflow(**named, app_id="a", type=WorkflowType.WORKFLOW, version="draft", graph=graph)
        await self.kept.put(
            APPS, App.model_validate({**named, "name": "app", "mode": "workflow", "workflow_id": "w"})
        )
        await self.kept.put(WORKFLOWS, workflow)
        await self.kept.put(API_KEYS, ApiKey(**named, name="key", sha256=tenant_id))
        config = {"cron": "0 * * * *"}
        trigger = {**named, "app_id": "a", "workflow_id": "w", "type": "SCHEDULE", "config": config}
        await self.kept.put(TRIGGERS, AppTrigger.model_validate(trigger))
        record = records.workflow(graph)
        assert await Graphs(self.clickhouse, CODEC).write([message(WORKFLOWS, record)]) == []
        return workflow.graph_hash

    async def write(self, topic: str, *rows: Mapping[str, Any]) -> None:
        values = [CODEC.encode(TOPICS[topic].schema or "", row) for row in rows]
        table = Table(topic, self.clickhouse, CODEC)
        # At places of their own, or they would be taken for the same again.
        messages = [message(topic, value, next(self._offsets)) for value in values]
        assert await table.write(messages) == []

    def eraser(self, **pace: float) -> Eraser:
        parts = (self.kept, self.kept, self.sent, SingleObjectCodec(), self.clickhouse, self.history)
        quick = Pace(**{"settle_s": 0.0, "runs_s": 0.0, "look_s": 0.0, **pace})
        return Eraser(Reach(*cast(Any, parts), self.storage), quick)

    async def rows(self, tenant_id: str) -> dict[str, int]:
        return {
            table: (
                await self.clickhouse.query(
                    f"SELECT count() FROM {table} WHERE tenant_id = {{t:String}}", {"t": tenant_id}
                )
            ).rows[0][0]
            for table in TABLES.values()
        }

    async def objects(self) -> set[str]:
        return {one.key for prefix in ("files", "values") async for one in self.storage.list(prefix)}

    async def graphs(self) -> set[str]:
        return {text for (text,) in (await self.clickhouse.query("SELECT graph FROM workflow_graphs")).rows}


@pytest.fixture
async def world(database: ClickHouse) -> World:
    world = World(database)
    await world.fill()
    return world


def request(**given: Any) -> Erasure:
    return Erasure(id="e", tenant_id=TENANT, created_by="operator", **given)


async def test_all_of_one_tenant_goes_and_nothing_else(world: World) -> None:
    others = await world.rows(OTHERS)
    assert sum(count > 0 for count in others.values()) == 5
    began_at = utc_now()
    await world.kept.put(ERASURES, request())
    await world.eraser().erase(request())
    assert set((await world.rows(TENANT)).values()) == {0}
    assert await world.rows(OTHERS) == others
    assert await world.objects() == {key.replace(TENANT, OTHERS) for key in OBJECTS}
    assert [text for text in await world.graphs() if "own" in text] == []
    assert len(await world.graphs()) == 1

    assert {topic for topic, _ in world.kept.keys_of(TENANT)} == {ERASURES}
    assert {topic for topic, _ in world.kept.keys_of(OTHERS)} == {APPS, WORKFLOWS, API_KEYS, TRIGGERS}
    told = [(one.topic, one.key) for one in world.sent.sends]
    assert [topic for topic, _ in told] == ["schedule.commands", "run.commands"]
    commands = [CODEC.decode(TOPICS[one.topic].schema or "", one.value) for one in world.sent.sends]
    assert [one["kind"] for one in commands] == ["REMOVE", "CANCEL"]
    assert {one["tenant_id"] for one in commands} == {TENANT}

    done = world.kept.definitions.erasures["e"]
    assert done.status is ErasureStatus.COMPLETED
    assert done.before is not None
    assert done.before > began_at
    assert done.created_by == "operator"
    assert done.counts == {
        "definitions": 4,
        "runs_stopped": 1,
        "objects": 3,
        "workflow_graphs": 1,
        "workflow_run_changes": 2,
        "workflow_node_execution_changes": 1,
        "workflow_trigger_log_changes": 1,
        "trigger_event_changes": 1,
        "dead_letter_changes": 1,
    }
    assert not world.kept.definitions.is_erased(TENANT)


async def test_whoever_takes_over_goes_on_where_another_broke_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.kept.put(ERASURES, request())

    async def fail(keys: Any) -> None:
        raise StorageUnavailable("the bucket is away")

    with monkeypatch.context() as broken:
        broken.setattr(world.storage, "delete", fail)
        with pytest.raises(StorageUnavailable):
            await world.eraser().erase(request())
    half_done = world.kept.definitions.erasures["e"]
    assert (half_done.status, half_done.step) == (ErasureStatus.RUNNING, "deleting rows and objects")
    assert world.kept.definitions.is_erased(TENANT)
    await world.eraser().erase(half_done)
    assert await world.objects() == {key.replace(TENANT, OTHERS) for key in OBJECTS}
    done = world.kept.definitions.erasures["e"]
    assert done.status is ErasureStatus.COMPLETED
    assert (done.counts["definitions"], done.counts["workflow_run_changes"]) == (4, 2)


async def test_runs_are_told_to_stop_while_their_workflows_are_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[str] = []

    async def send_all(sends: list[Send]) -> None:
        if any(one.topic == "run.commands" for one in sends):
            left.extend(topic for topic, _ in world.kept.keys_of(TENANT))

    monkeypatch.setattr(world.sent, "send_all", send_all)
    await world.kept.put(ERASURES, request())
    await world.eraser().erase(request())
    assert left == [WORKFLOWS, ERASURES]
    assert {topic for topic, _ in world.kept.keys_of(TENANT)} == {ERASURES}


async def test_what_was_being_configured_when_it_began_goes_as_well(
    database: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database)

    async def look(*where: Any) -> dict[str, int]:
        monkeypatch.undo()
        await world.kept.put(API_KEYS, ApiKey(id="late", tenant_id=TENANT, name="key", sha256="late"))
        return {}

    monkeypatch.setattr("ingress.erasing.eraser.delete_rows", look)
    await world.kept.put(ERASURES, request())
    await world.eraser().erase(request())
    assert {topic for topic, _ in world.kept.keys_of(TENANT)} == {ERASURES}
    assert world.kept.definitions.erasures["e"].counts == {"definitions": 1}


async def test_others_have_their_turn_while_the_graphs_of_all_workflows_are_looked_at(world: World) -> None:
    named: dict[str, Any] = {
        "tenant_id": OTHERS,
        "app_id": "a",
        "type": WorkflowType.WORKFLOW,
        "version": "1",
    }
    graphs = [Workflow(**named, id=f"w{n}", graph={"nodes": [], "edges": [], "n": n}) for n in range(100)]
    *there, late = graphs
    await world.kept.put(WORKFLOWS, *there)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            if turns == 50:
                await world.kept.put(WORKFLOWS, late)
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    known = await world.eraser()._graphs()
    task.cancel()
    assert turns >= 99
    assert known >= {one.graph_hash for one in graphs}, "what is published meanwhile keeps its graph, too"


async def test_a_request_is_taken_over_once_nothing_is_heard_of_it(world: World) -> None:
    eraser, erasures = world.eraser(dead_s=60), world.kept.definitions.erasures
    erasures["new"] = request()
    assert eraser._due() == [erasures["new"]]
    erasures["new"] = request(worker="another")
    assert eraser._due() == []
    erasures["new"] = request(worker="another", updated_at=utc_now() - timedelta(seconds=61))
    assert eraser._due() == [erasures["new"]]
    erasures["new"] = request(status=ErasureStatus.COMPLETED, updated_at=utc_now() - timedelta(days=1))
    assert eraser._due() == []


async def test_a_request_that_another_has_carried_out_meanwhile_is_left_alone(world: World) -> None:
    first, second = (request().model_copy(update={"id": name}) for name in ("first", "second"))
    done = {"status": ErasureStatus.COMPLETED, "before": utc_now(), "worker": "another"}
    await world.kept.put(ERASURES, first, second)
    eraser, begun, looked = world.eraser(), list[str](), asyncio.Event()

    async def erase(erasure: Erasure) -> None:
        begun.append(erasure.id)
        await world.kept.put(ERASURES, *(one.model_copy(update=done) for one in (first, second)))

    def due() -> list[Erasure]:
        found = Eraser._due(eraser)
        if not found:
            looked.set()
        return found

    eraser.erase, eraser._due = erase, due  # type: ignore[method-assign]
    running = asyncio.create_task(eraser.run())
    await asyncio.wait_for(looked.wait(), 10)
    running.cancel()
    assert begun == ["first"]
    assert world.kept.definitions.erasures["second"].status is ErasureStatus.COMPLETED


async def test_who_was_taken_over_from_touches_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tenant is back by then."""
    done = request(worker="another", status=ErasureStatus.COMPLETED, before=utc_now())

    async def look(*where: Any) -> dict[str, int]:
        await world.kept.put(ERASURES, done)
        return {}

    monkeypatch.setattr("ingress.erasing.eraser.delete_rows", look)
    await world.kept.put(ERASURES, request())
    with pytest.raises(TakenOver):
        await world.eraser().erase(request())
    assert set(OBJECTS) <= await world.objects()
    assert world.kept.definitions.erasures["e"] == done


async def test_of_several_that_claim_a_request_one_works_at_it(world: World) -> None:
    await world.kept.put(ERASURES, request())
    erasers = [world.eraser(look_s=0.01) for _ in range(3)]
    assert sum(await asyncio.gather(*(one._is_own(request()) for one in erasers))) == 1


async def test_rows_are_left_out_only_once_runs_had_time_to_stop(world: World) -> None:
    await world.kept.put(ERASURES, request())
    await world.eraser().erase(request())
    sealed = [(one.step, one.sealed) for one in world.kept.told]
    assert list(dict.fromkeys(sealed)) == [
        ("requested", False),
        ("removing what is configured", False),
        ("stopping runs", False),
        ("deleting rows and objects", True),
        ("done", True),
    ]


async def test_rows_that_a_sink_was_writing_go_although_there_were_none_before(
    database: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, looks = World(database), itertools.count(1)

    async def look(*where: Any) -> dict[str, int]:
        found = await delete_rows(*where)
        if next(looks) == 1:
            await world.write("runs", records.run())
        return found

    monkeypatch.setattr("ingress.erasing.eraser.delete_rows", look)
    await world.kept.put(ERASURES, request())
    await world.eraser().erase(request())
    assert set((await world.rows(TENANT)).values()) == {0}
    assert world.kept.definitions.erasures["e"].counts == {"workflow_run_changes": 1}


async def test_rows_of_an_insert_that_takes_long_go_as_well(world: World) -> None:
    slow = asyncio.create_task(
        world.clickhouse.execute(
            "INSERT INTO workflow_run_changes SELECT * REPLACE (generateUUIDv4() AS id, "
            "now64(6) - toIntervalSecond(sleep(3)) AS recorded_at) FROM workflow_run_changes"
        )
    )
    inserts = "SELECT 1 FROM system.processes WHERE query_kind = 'Insert'"
    while not (slow.done() or (await world.clickhouse.query(inserts)).rows):
        pass
    await world.kept.put(ERASURES, request())
    await world.eraser().erase(request())
    await slow
    assert set((await world.rows(TENANT)).values()) == {0}


async def test_a_tenant_called_as_the_path_of_another_begins() -> None:
    storage = Storage(MemoryStore())
    for key in ("files/a/f", "files/a/b/f", "values/a/r/d", "values/a/b/r/d", "files/ab/f"):
        await storage.put(key, b"x")

    async def alive() -> None: ...

    assert await delete_objects(storage, "a", alive) == 2
    left = {one.key for prefix in ("files", "values") async for one in storage.list(prefix)}
    assert left == {"files/a/b/f", "values/a/b/r/d", "files/ab/f"}
