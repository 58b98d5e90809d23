"""The rollups equal the raw tables, whatever was repeated, came late or was interrupted."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.topics import TOPICS
from sinks.metrics import SinkMetrics
from sinks.rollup_sql import COMPUTATION
from sinks.rollups import Rollups, keep_rollups
from sinks.table import Table
from tests.sinks import records
from tests.sinks.figures import assert_equal_to_raw
from tests.sinks.records import CODEC, START_US, message
from transport.clickhouse import ClickHouse
from transport.errors import ClickHouseUnavailable

Change = tuple[str, dict[str, Any]]
"""Topic and record."""


class Log:
    """The topics, so that parts of them can be written to the tables again."""

    def __init__(self, changes: list[Change]) -> None:
        self._records: dict[str, list[Any]] = {}
        for topic, record in changes:
            known = self._records.setdefault(topic, [])
            value = CODEC.encode(TOPICS[topic].schema or "", record)
            known.append(message(topic, value, len(known)))

    def __len__(self) -> int:
        return max(len(known) for known in self._records.values())

    async def write(self, database: ClickHouse, first: int = 0, last: int | None = None) -> None:
        """Offsets from `first` to before `last` of each topic."""
        for topic, known in self._records.items():
            if batch := known[first:last]:
                assert await Table(topic, database, CODEC).write(batch) == []


def a_day(chance: random.Random, runs: int) -> list[Change]:
    """Runs of one day, each with its log and nodes: as they begin, and mostly also as they end."""
    begun: list[Change] = []
    ended: list[Change] = []
    for _ in range(runs):
        accepted_us = START_US // 86_400_000_000 * 86_400_000_000 + chance.randrange(86_400_000_000)
        for before, after in _run(chance, accepted_us):
            begun.append(before)
            ended.extend([after] if chance.random() < 0.9 else [])
    chance.shuffle(ended)
    return begun + ended


def _run(chance: random.Random, accepted_us: int) -> Iterator[tuple[Change, Change]]:
    ids = {
        "tenant_id": chance.choice(("t1", "t2")),
        "app_id": chance.choice(("a1", "a2")),
        "workflow_id": chance.choice(("w1", "w2")),
    }
    begins_us = accepted_us + chance.randrange(5_000_000)
    took_us = int(chance.lognormvariate(12, 2))
    times = {"elapsed_time": took_us / 1e6, "finished_at": begins_us + took_us}
    run = records.run(**ids, created_at=begins_us, version=chance.choice(("draft", "v2"))) | {
        "event_at": accepted_us
    }
    status = chance.choice(("SUCCEEDED", "FAILED", "STOPPED", "PARTIAL_SUCCEEDED"))
    told = {"status": status, "total_tokens": chance.randrange(9), "total_steps": 3, "exceptions_count": 1}
    yield ("runs", run), ("runs", {**run, **times, **told, "revision": 2})

    log = records.trigger_log(**ids, created_at=accepted_us, workflow_run_id=run["id"])
    done: dict[str, Any] = {
        "status": "SUCCESS",
        "triggered_at": begins_us,
        "retry_count": chance.randrange(2),
        "total_tokens": 7,
    }
    if chance.random() < 0.2:
        duplicate = "duplicate of the event at trigger.events/1/2"
        done = {"status": "STOPPED", "error": duplicate, "elapsed_time": None}
    yield ("trigger.logs", log), ("trigger.logs", {**log, **times, **done, "revision": 2})

    for node_type in ("llm", "loop", "http-request"):
        node = records.node(
            **ids, created_at=begins_us, node_type=node_type, node_id=node_type, workflow_run_id=run["id"]
        ) | {"event_at": accepted_us, "status": "running", "elapsed_time": 0.0}
        cost = (
            '{"total_tokens":12,"total_price":0.0000003,"currency":"USD"}'
            if node_type != "http-request"
            else None
        )
        told = {
            "status": chance.choice(("succeeded", "failed", "exception", "retry")),
            "execution_metadata": cost,
        }
        yield ("node.executions", node), ("node.executions", {**node, **times, **told, "revision": 2})


async def test_a_day_that_is_replayed_twice_counts_once(database: ClickHouse) -> None:
    chance = random.Random(7)
    log, rollups = Log(a_day(chance, 60)), Rollups(database)
    half = len(log) // 2
    await log.write(database, 0, half)
    await rollups.refresh()
    assert await assert_equal_to_raw(database) > 300
    await log.write(database, half)
    await rollups.refresh()
    await assert_equal_to_raw(database)
    once = await _everything(database)
    # The same batches, then the day in batches with other borders, some of them overlapping.
    await log.write(database, 0, half)
    await log.write(database, half)
    for first in range(0, len(log), 50):
        await log.write(database, max(0, first - 10), first + 50)
    await rollups.refresh()
    assert await _everything(database) == once
    await assert_equal_to_raw(database)


async def _everything(database: ClickHouse) -> list[Any]:
    found = []
    for view in ("run_metrics", "node_metrics", "trigger_metrics"):
        columns = "* EXCEPT (as_of, elapsed_state, queue_latency_state)"
        found.append((await database.query(f"SELECT {columns} FROM {view} ORDER BY ALL")).rows)
    return found


async def test_what_changes_later_moves_within_its_minute(database: ClickHouse) -> None:
    """A run that ends the next day; one that is done again, with another time, version and kind of node."""
    rollups = Rollups(database)
    run, other, node = records.run(), records.run(), records.node(node_type="llm", status="running")
    await Log([("runs", run), ("runs", other), ("node.executions", node)]).write(database)
    assert await rollups.refresh() == 2
    later_us = START_US + 90_000_000_000
    ended = {**run, "revision": 2, "status": "FAILED", "finished_at": later_us, "elapsed_time": 90_000.0}
    again = {**other, "revision": 2, "created_at": START_US + 120_000_000, "version": "2027"}
    unknown = {**node, "revision": 2, "node_type": "unknown", "status": "failed"}
    await Log([("runs", ended), ("runs", again), ("node.executions", unknown)]).write(database)
    assert await rollups.refresh() == 2
    await assert_equal_to_raw(database)
    (kind,) = (await database.query("SELECT node_type, executions, failed FROM node_metrics_1d")).rows
    assert kind == ["unknown", 1, 1]


async def test_an_insert_that_takes_long_is_not_passed_over(database: ClickHouse) -> None:
    """Its rows are from before the refresh, and can be read only after it."""
    rollups = Rollups(database)
    await Log([("runs", records.run(tenant_id="t9"))]).write(database)
    slow = asyncio.create_task(
        database.execute(
            "INSERT INTO workflow_run_changes SELECT * REPLACE (generateUUIDv4() AS id, "
            "now64(6) - toIntervalSecond(sleep(3)) AS recorded_at) FROM workflow_run_changes"
        )
    )
    inserts = "SELECT 1 FROM system.processes WHERE query_kind = 'Insert'"
    while not (slow.done() or (await database.query(inserts)).rows):
        pass
    await asyncio.sleep(1.1)  # Longer than the margin that the refreshes overlap by.
    assert await rollups.refresh() == 1
    await slow
    await rollups.refresh()
    assert (await database.query("SELECT runs FROM run_metrics_1d")).rows == [[2]]


async def test_several_at_once_leave_the_same_figures(database: ClickHouse) -> None:
    log, many = Log(a_day(random.Random(3), 20)), [Rollups(database) for _ in range(3)]
    for first in range(0, len(log), 30):
        await asyncio.gather(log.write(database, first, first + 30), *(one.refresh() for one in many))
    await many[0].refresh()
    await assert_equal_to_raw(database)


@pytest.mark.parametrize("ahead", [timedelta(seconds=20), timedelta(days=400)])
async def test_a_clock_that_was_set_back_loses_nothing(database: ClickHouse, ahead: timedelta) -> None:
    run = records.run()
    await Log([("runs", run)]).write(database)
    await Rollups(database).refresh()
    future = (datetime.now(UTC) + ahead).strftime("%Y-%m-%d %H:%M:%S.%f")
    # As the refreshes of an hour ago would have left it, by a clock that was ahead.
    await database.execute(f"INSERT INTO rollup_progress VALUES ('{future}', '{future}')")
    await database.execute(f"INSERT INTO rollup_computations VALUES ('{future}', {COMPUTATION})")
    await database.execute(
        f"INSERT INTO run_rollups SELECT * REPLACE (toDateTime64('{future}', 6, 'UTC') AS as_of) "
        "FROM run_rollups"
    )
    await Log([("runs", {**run, "revision": 2, "status": "STOPPED"})]).write(database)
    await Rollups(database).refresh()
    assert (await database.query("SELECT runs, stopped FROM run_metrics_1d")).rows == [[1, 1]]


@pytest.mark.parametrize("before", [None, COMPUTATION + 1])
async def test_what_another_release_has_computed_is_computed_again(
    database: ClickHouse, before: int | None
) -> None:
    await Log([("runs", records.run())]).write(database)
    assert await Rollups(database).refresh() == 1
    # As that one, which counts otherwise, has left it.
    at = "now64(6) + toIntervalMillisecond(1)"
    await database.execute(
        f"INSERT INTO run_rollups SELECT * REPLACE (7 AS runs, {at} AS as_of) FROM run_rollups"
    )
    await database.execute("TRUNCATE TABLE rollup_computations")
    await database.execute(
        "INSERT INTO rollup_progress SELECT now64(6) + toIntervalSecond(9), now64(6) + toIntervalSecond(9)"
    )
    if before is not None:
        await database.execute(
            f"INSERT INTO rollup_computations SELECT max(as_of), {before} FROM rollup_progress"
        )
    await asyncio.sleep(1.1)  # Longer than the margin that the refreshes overlap by.
    assert await Rollups(database).refresh() == 1
    for period in ("1m", "1h", "1d"):
        assert (await database.query(f"SELECT runs FROM run_metrics_{period}")).rows == [[1]]
    assert await Rollups(database).refresh() == 0


async def test_percentiles_of_several_rows_come_from_their_states(database: ClickHouse) -> None:
    times = [1.0, 2.0, 3.0, 4.0, 100.0]
    ended = [
        records.run(workflow_id=str(n), status="SUCCEEDED", finished_at=START_US, elapsed_time=seconds)
        for n, seconds in enumerate(times)
    ]
    await Log([("runs", run) for run in ended]).write(database)
    await Rollups(database).refresh()
    merged = "quantilesExactWeightedMerge(0.5, 0.95, 0.99)(elapsed_state)"
    found = await database.query(f"SELECT {merged}, sum(elapsed_sum) / sum(ended) FROM run_metrics_1m")
    assert found.rows == [[[3.0, 100.0, 100.0], 22.0]]


async def test_dead_letters_are_counted(database: ClickHouse) -> None:
    letters = [records.dead_letter(), records.dead_letter(), records.dead_letter(stage="sink")]
    letters.append({**letters[0], "revision": 2, "status": "REPLAYED"})
    await Log([("dead.letters", letter) for letter in letters]).write(database)
    for period in ("1m", "1h", "1d"):
        found = await database.query(
            f"SELECT stage, letters, pending, replayed FROM dead_letter_metrics_{period} ORDER BY stage"
        )
        assert found.rows == [["engine", 2, 1, 1], ["sink", 1, 1, 0]]


class Failing:
    """Rollups that fail at first."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.error = error or ClickHouseUnavailable("away")
        self.refreshed = asyncio.Event()

    async def refresh(self) -> int:
        self.calls += 1
        if self.calls == 1:
            raise self.error
        self.refreshed.set()
        return 0


@pytest.mark.parametrize("error", [None, ValueError("garbled")])
async def test_a_refresh_that_fails_is_counted_and_tried_again(error: Exception | None) -> None:
    registry = CollectorRegistry()
    rollups = Failing(error)
    keeping = asyncio.create_task(keep_rollups(rollups, 0.001, lambda: True, SinkMetrics(registry)))
    await rollups.refreshed.wait()
    keeping.cancel()
    assert registry.get_sample_value("hopline_sink_rollup_failures_total") == 1


async def test_only_one_sink_of_all_refreshes() -> None:
    rollups, asked = Failing(), asyncio.Semaphore(0)

    def is_ours() -> bool:
        asked.release()
        return False

    keeping = asyncio.create_task(keep_rollups(rollups, 0.001, is_ours, SinkMetrics(CollectorRegistry())))
    for _ in range(3):
        await asked.acquire()
    keeping.cancel()
    assert rollups.calls == 0
