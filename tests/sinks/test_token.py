"""Inserts that a crash repeats: known by their token if the batch is the same, and replaced if it is not."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from confluent_kafka import Message
from pydantic import SecretStr

from sinks.migrate import migrate
from sinks.rollups import Rollups
from sinks.table import Table
from sinks.token import token_of
from tests.sinks import records
from tests.sinks.figures import assert_equal_to_raw
from tests.sinks.records import CODEC, message
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings


def test_a_token_tells_topics_partitions_offsets_and_bytes_apart() -> None:
    whole = [message("runs", b"", offset, partition) for partition in (0, 1) for offset in (5, 6, 8)]
    assert token_of("runs", whole, b"bytes") == "runs/0:5-8,1:5-8/6/b19943ce"
    others = [
        token_of("runs", whole, b"bytes"),
        token_of("trigger.logs", whole, b"bytes"),
        token_of("runs", whole[1:], b"bytes"),
        token_of("runs", whole[:2] + whole[3:], b"bytes"),
        token_of("runs", [*whole, message("runs", b"", 9, 1)], b"bytes"),
        token_of("runs", whole, b"other bytes"),
    ]
    assert len(set(others)) == len(others)


async def test_the_same_insert_again_is_not_taken(clickhouse: ClickHouse) -> None:
    await migrate(clickhouse)
    table, batch = Table("runs", clickhouse, CODEC), _runs(4)
    for _ in range(3):
        assert await table.write(batch) == []
    physical = "SELECT count() FROM workflow_run_changes"
    assert (await clickhouse.query(physical)).rows == [[4]]
    # Other borders: the rows are there twice, until they are merged, and shown once.
    await table.write(batch[1:])
    assert (await clickhouse.query("SELECT count() FROM workflow_runs")).rows == [[4]]


async def test_a_topic_that_was_created_anew_is_not_taken_for_the_old_one(clickhouse: ClickHouse) -> None:
    await migrate(clickhouse)
    for _ in range(2):
        await Table("runs", clickhouse, CODEC).write(_runs(3))
    assert (await clickhouse.query("SELECT count() FROM workflow_runs")).rows == [[6]]


async def test_what_is_left_out_of_a_batch_that_was_refused_is_written(clickhouse: ClickHouse) -> None:
    """A batch of two months is written month by month: a part of it may be there when it is refused."""
    await migrate(clickhouse)
    batch = _runs(5)
    batch[2] = message("runs", CODEC.encode("WorkflowRun", records.run(id="not-a-uuid")), 2)
    for _ in range(2):
        poisons = await Table("runs", clickhouse, CODEC).write(batch)
        assert [poison.message.offset() for poison in poisons] == [2]
    assert (await clickhouse.query("SELECT count() FROM workflow_runs")).rows == [[4]]


_FIGURES = "SELECT * EXCEPT (as_of, elapsed_state, queue_latency_state) FROM run_metrics ORDER BY ALL"

_CRASH = """
import asyncio, os, signal, sys
from pydantic import SecretStr
from sinks.migrate import migrate
from sinks.table import Table
from tests.sinks.records import CODEC, message
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

async def main():
    clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(sys.argv[1])))
    await migrate(clickhouse)
    values = [bytes.fromhex(text) for text in sys.stdin.read().split()]
    batch = [message("runs", value, offset) for offset, value in enumerate(values)]
    await Table("runs", clickhouse, CODEC).write(batch)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_kill_between_insert_and_commit_changes_no_figure(tmp_path: Path) -> None:
    """The next process reads the same records again: as they were, or with more behind them."""
    batch = _runs(6)
    dsn = f"chdb://{tmp_path}/clickhouse?database=killed"
    sink = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _CRASH, dsn),
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    await sink.communicate("\n".join((one.value() or b"").hex() for one in batch[:5]).encode())
    assert sink.returncode == -signal.SIGKILL
    clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(dsn)))
    try:
        rollups = Rollups(clickhouse)
        await rollups.refresh()
        before = (await clickhouse.query(_FIGURES)).rows
        table = Table("runs", clickhouse, CODEC)
        await table.write(batch[:5])
        assert (await clickhouse.query("SELECT count() FROM workflow_run_changes")).rows == [[5]]
        await rollups.refresh()
        assert (await clickhouse.query(_FIGURES)).rows == before
        await table.write(batch[2:])
        await rollups.refresh()
        assert (await clickhouse.query("SELECT sum(runs) FROM run_metrics_1d")).rows == [[6]]
        await assert_equal_to_raw(clickhouse)
    finally:
        await clickhouse.close()


def _runs(count: int) -> list[Message]:
    return [message("runs", CODEC.encode("WorkflowRun", records.run()), offset) for offset in range(count)]
