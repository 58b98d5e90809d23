"""What was erased does not come back, however often a topic is read again."""

import asyncio
from collections.abc import Set
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from schemas.models import Erasure, ErasureStatus
from schemas.topics import TOPICS
from sinks.batch import Batch
from sinks.erased import Erased, LeavingOut
from sinks.settings import SinkSettings
from sinks.writing import Failures
from tests.sinks import records
from tests.sinks.records import APP, CODEC, START_US, TENANT, message
from transport.definitions import ERASURES, WORKFLOWS, Definitions

BEFORE = datetime.fromtimestamp(START_US / 1e6, UTC)


def erased(*erasures: Erasure) -> Erased:
    definitions = Definitions()
    for one in erasures:
        definitions.apply(ERASURES, one.id, one)
    return Erased(definitions, CODEC)


def completed(tenant_id: str = TENANT, before: datetime = BEFORE, **given: Any) -> Erasure:
    status = ErasureStatus.COMPLETED
    return Erasure(id=f"e-{tenant_id}-{before}", tenant_id=tenant_id, status=status, before=before, **given)


def encoded(topic: str, record: Any) -> Message:
    return message(topic, CODEC.encode(TOPICS[topic].schema or "", record))


def chunk(tenant_id: str, written_ms: int) -> Message:
    record = {
        "id": APP,
        "tenant_id": tenant_id,
        "dataset_id": "d",
        "document_id": APP,
        "version": 1,
        "position": 0,
        "content": "text",
        "hash": "h",
        "words": [],
        "embedding_model": "",
        "vector": [],
    }
    value = CODEC.encode("KnowledgeChunk", record)
    return Message(
        topic="knowledge.chunks", value=value, timestamp=(TIMESTAMP_CREATE_TIME, written_ms), headers=[]
    )


def test_where_nothing_was_erased_nothing_is_looked_at() -> None:
    messages = [message("runs", b"unreadable")]
    assert erased().kept("runs", messages) is messages


@pytest.mark.parametrize(
    ("topic", "old", "new"),
    [
        ("trigger.events", records.event(received_at=START_US - 1), records.event()),
        ("trigger.logs", records.trigger_log(created_at=START_US - 1), records.trigger_log()),
        # What has become of an old run is told later.
        ("runs", records.run(event_at=START_US - 1, created_at=START_US + 1), records.run()),
        ("node.executions", records.node(event_at=START_US - 1, created_at=START_US + 1), records.node()),
        (
            "dead.letters",
            records.dead_letter(tenant_id=TENANT, created_at=START_US - 1),
            records.dead_letter(tenant_id=TENANT),
        ),
    ],
)
def test_what_came_before_is_left_out(topic: str, old: Any, new: Any) -> None:
    others = encoded(topic, {**old, "tenant_id": APP})
    unreadable = message(topic, b"no record of " + TENANT.encode())
    later = encoded(topic, new)
    messages = [encoded(topic, old), others, unreadable, later, message(topic, None)]
    assert erased(completed()).kept(topic, messages) == [others, unreadable, later, messages[-1]]


def test_chunks_are_as_old_as_their_messages() -> None:
    old, new = chunk(TENANT, START_US // 1000 - 1), chunk(TENANT, START_US // 1000)
    assert erased(completed()).kept("knowledge.chunks", [old, new]) == [new]


def test_a_graph_is_left_out_by_when_it_was_written() -> None:
    value = records.workflow({"nodes": [], "edges": []})
    messages = [message(WORKFLOWS, value)]
    assert list(erased(completed()).kept(WORKFLOWS, messages)) == messages
    later = datetime.fromtimestamp(START_US / 1e6 + 1, UTC)
    assert erased(completed(before=later)).kept(WORKFLOWS, messages) == []


def test_while_rows_are_deleted_all_is_left_out() -> None:
    running = Erasure(id="e", tenant_id=TENANT, sealed=True)
    later = encoded("runs", records.run(created_at=START_US + 10**12))
    others = encoded("runs", records.run(tenant_id=APP, inputs=f'{{"about":"{TENANT}"}}'))
    assert erased(running).kept("runs", [later, others]) == [others]
    # Its runs must be seen to stop.
    stopping = Erasure(id="e", tenant_id=TENANT)
    assert erased(stopping).kept("runs", [later, others]) == [later, others]
    # Erased a second time.
    assert erased(completed(), running).kept("runs", [later]) == []


def test_of_several_the_latest_counts() -> None:
    earlier = datetime.fromtimestamp(START_US / 1e6 - 60, UTC)
    between = encoded("runs", records.run(created_at=START_US - 1))
    assert erased(completed(before=earlier)).kept("runs", [between]) == [between]
    for order in ((earlier, BEFORE), (BEFORE, earlier)):
        assert erased(*(completed(before=one) for one in order)).kept("runs", [between]) == []


class Written:
    """In place of ClickHouse."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    async def write(self, batch: Batch, held: Set[str] = frozenset()) -> Failures:
        self.values += [one.value() for messages in batch.messages.values() for one in messages]
        return {}


async def test_nothing_is_written_before_it_is_known_what_was_erased() -> None:
    batch, written = Batch(SinkSettings()), Written()
    known: asyncio.Future[Erased] = asyncio.get_running_loop().create_future()
    old, new = encoded("runs", records.run(created_at=START_US - 1)), encoded("runs", records.run())
    batch.add("runs", [old, new], 0.0)
    offsets = dict(batch.offsets)
    writing = asyncio.create_task(LeavingOut(written, known).write(batch))
    await asyncio.sleep(0)
    assert written.values == []
    known.set_result(erased(completed()))
    assert await writing == {}
    assert written.values == [new.value()]
    # Its place is committed all the same.
    assert (batch.rows, batch.bytes, batch.offsets) == (1, len(new), offsets)
