"""A run as the history has it, on rows that the sink has written."""

import uuid
from collections.abc import Iterable
from typing import Any

import orjson

from ingress.live.changes import Change, Event
from ingress.live.past import Past, in_order
from ingress.live.story import Story
from ingress.live.wire import block
from schemas.search import RunFilter, read_filter
from tests.ingress.live.records import RUN, Partition
from tests.sinks import records
from tests.sinks.records import START_US, TENANT, write
from transport.clickhouse import ClickHouse


async def write_all(database: ClickHouse, changes: Iterable[Change]) -> None:
    for change in changes:
        await write(database, change.topic, change.record)


def shown(event: Event) -> Any:
    return orjson.loads(block(event, "1").split(b"data: ")[1])


async def test_a_run_of_long_ago_is_told_as_it_was(database: ClickHouse) -> None:
    of = Partition()
    begun, answered = of.run(), of.node(1)
    # A container, whose rounds lie within its time.
    outer = of.node(2, created_at=START_US + 2, finished_at=START_US + 9, revision=2)
    tried = of.node(3, "retry", created_at=START_US + 3, finished_at=START_US + 4, revision=2)
    inner = of.node(3, attempt=2, created_at=START_US + 4, finished_at=START_US + 5, revision=2)
    ended = of.run("SUCCEEDED", 2, total_steps=3, exceptions_count=1, outputs='{"a": 1}')
    changes = [begun, answered, outer, tried, inner, ended]
    await write_all(database, changes)
    story = Story()
    events = [event for change in await Past(database).changes(RUN, TENANT) for event in story.take(change)]
    assert [f"{event.name} {event.step}" for event in events] == [
        "workflow_started 0", "node_started 1", "node_finished 1", "node_started 2", "node_started 3",
        "node_retry 3", "node_started 3", "node_finished 3", "node_finished 2", "workflow_finished 0",
    ]  # fmt: skip
    # As from the topics.
    live = Story()
    from_topics = [event for change in changes for event in live.take(change)]
    last = shown(events[-1])
    assert last == shown(from_topics[-1])
    assert last["workflow_run_id"] == RUN
    assert (last["data"]["outputs"], last["data"]["created_at"][:10]) == ({"a": 1}, "2026-11-18")
    assert await Past(database).changes(RUN, "another") == []


async def test_who_is_told_of_a_run_is_found_by_the_search(database: ClickHouse) -> None:
    webhook, schedule = Partition(RUN), Partition(str(uuid.UUID(int=2)))
    for of, trigger in ((webhook, "WEBHOOK"), (schedule, "SCHEDULE")):
        log = records.trigger_log(trigger_type=trigger, workflow_run_id=of.run_id)
        await write_all(database, [of.run(trigger_log_id=log["id"]), Change("trigger.logs", 0, 0, log)])
    past, chosen = Past(database), read_filter(RunFilter, [("trigger_type", "webhook")])
    asked = [webhook.run_id, schedule.run_id, str(uuid.UUID(int=3))]
    assert await past.fitting(chosen, TENANT, asked) == {webhook.run_id: True, schedule.run_id: False}
    assert await past.is_awaited(webhook.run_id, TENANT)
    assert not await past.is_awaited(str(uuid.UUID(int=3)), TENANT)


def test_nodes_of_one_hop_are_told_in_the_order_of_their_beginning() -> None:
    of = Partition()
    # The clock of a task is that of the hop, which began before its first node.
    first = of.node(1, created_at=START_US + 5, finished_at=START_US + 9)
    task = of.node(2, created_at=START_US, finished_at=START_US + 50, revision=2)
    last = of.node(3, created_at=START_US + 50, finished_at=START_US + 51)
    told = [(one.record["index"], one.record["status"]) for one in in_order([], [last, task, first])]
    begun = "running"
    assert told == [(1, begun), (1, "succeeded"), (2, begun), (2, "succeeded"), (3, begun), (3, "succeeded")]
