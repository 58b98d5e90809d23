"""Each topic's records in its table: latest state, repetition, poison."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message

from schemas.topics import TOPICS
from sinks.migrate import migrate
from sinks.table import TABLES, Table
from tests.sinks import records
from tests.sinks.records import CODEC, START_US, message, write
from transport.clickhouse import ClickHouse
from transport.errors import StatementRefused


def messages(topic: str, rows: Sequence[Mapping[str, Any]]) -> list[Message]:
    schema = TOPICS[topic].schema or ""
    return [message(topic, CODEC.encode(schema, row), offset) for offset, row in enumerate(rows)]


async def test_a_view_shows_the_latest_state_in_whatever_order_it_comes(database: ClickHouse) -> None:
    running = records.run()
    ended = {**running, "revision": 3, "status": "SUCCEEDED", "outputs": '{"b":2}', "elapsed_time": 0.25}
    paused = {**running, "revision": 2, "status": "PAUSED"}
    await write(database, "runs", running, ended)
    await write(database, "runs", paused)
    (row,) = (await database.query("SELECT * FROM workflow_runs")).dicts()
    assert (row["status"], row["revision"], row["outputs"]) == ("SUCCEEDED", 3, '{"b":2}')
    assert row["created_at"] == "2026-11-18T11:06:40.000000Z"
    assert (row["finished_at"], row["total_tokens"]) == (None, 0)
    assert row["recorded_at"] > "2026"


async def test_a_repeated_batch_changes_nothing(database: ClickHouse) -> None:
    everything: dict[str, list[Mapping[str, Any]]] = {
        "trigger.events": [records.event(), records.event()],
        "trigger.logs": [records.trigger_log(), records.trigger_log(app_id=None, workflow_id=None)],
        "runs": [records.run(), records.run(status="FAILED", revision=2)],
        "node.executions": [records.node(), records.node(workflow_run_id=None)],
        "dead.letters": [records.dead_letter(), records.dead_letter(key=None, value=None, headers=[])],
    }
    shown: list[dict[str, Any]] = []
    for _ in range(2):
        now: dict[str, Any] = {}
        for topic, rows in everything.items():
            await write(database, topic, *rows)
            view = TABLES[topic].removesuffix("_changes") + "s"
            found = await database.query(f"SELECT * EXCEPT recorded_at FROM {view} ORDER BY 1")
            assert len(found.rows) == 2, view
            now[view] = found.rows
        shown.append(now)
    assert shown[0] == shown[1]


async def test_many_are_written_in_two_inserts_and_the_damaged_among_them_told_apart(
    database: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.table._WORTH_A_HALF", 3)
    rows = messages("runs", [records.run() for _ in range(7)])
    table = Table("runs", database, CODEC)
    for _ in range(2):
        assert await table.write(rows) == []
    parts = "SELECT rows FROM system.parts WHERE active AND table = 'workflow_run_changes' ORDER BY rows"
    assert (await database.query(parts)).rows == [[3], [4]], "each half has a token of its own"
    value = rows[5].value() or b""
    broken = [*rows[:5], message("runs", value[:10] + b"\xff" * 20, 5), rows[6]]
    (poison,) = await table.write(broken)
    assert poison.message is broken[5]
    assert (await database.query("SELECT count() FROM workflow_runs")).rows == [[7]]


async def test_ids_of_one_month_and_of_two_are_single(database: ClickHouse) -> None:
    month_us = 31 * 24 * 3600 * 1_000_000
    rows = [records.run(created_at=START_US - n * month_us) for n in range(3)]
    for revision in (1, 2):
        await write(database, "runs", *({**row, "revision": revision} for row in rows))
    found = await database.query("SELECT count(), uniqExact(id), min(revision) FROM workflow_runs")
    assert found.rows == [[3, 3, 2]]


async def test_a_run_that_is_done_again_in_another_month_is_one_run(database: ClickHouse) -> None:
    """After a crash: it begins at another time, but the event that started it is the same."""
    first, again = START_US, START_US + 40 * 24 * 3600 * 1_000_000
    run, node = records.run(event_at=first), records.node(event_at=first)
    for revision, at in enumerate((first, again)):
        changes = {"created_at": at, "revision": revision}
        await write(database, "runs", {**run, **changes})
        await write(database, "node.executions", {**node, **changes})
    # Also where an index skips the time of the row that is not shown.
    for condition, shown in (("1", 1), ("created_at < '2026-12-01'", 0), ("created_at > '2026-12-01'", 1)):
        for view in ("workflow_runs", "workflow_node_executions"):
            found = await database.query(f"SELECT count() FROM {view} WHERE {condition}")
            assert found.rows == [[shown]], (view, condition)


async def test_bytes_of_dead_letters_survive(database: ClickHouse) -> None:
    await write(database, "dead.letters", records.dead_letter())
    found = await database.query(
        "SELECT hex(key), hex(value), hex(headers[1].value), offset FROM dead_letters"
    )
    assert found.rows == [["FF00", "0001FE", "FF", 2]]


async def test_damaged_records_are_told_from_sound_ones(database: ClickHouse) -> None:
    sound = messages("runs", [records.run() for _ in range(50)])
    frame = (sound[0].value() or b"")[:10]
    damaged = [
        message("runs", value, 100 + n)
        for n, value in enumerate([None, b"text", frame, frame + b"\0" * 90, frame + b"\xff" * 40])
    ]
    poisons = await Table("runs", database, CODEC).write(
        [*sound[:20], *damaged[:3], *sound[20:], *damaged[3:]]
    )
    assert sorted(p.message.offset() or 0 for p in poisons) == [100, 101, 102, 103, 104]
    assert all(p.reason for p in poisons)
    assert (await database.query("SELECT count() FROM workflow_runs")).rows == [[50]]


async def test_records_that_decode_but_do_not_fit_stand_alone(database: ClickHouse) -> None:
    rows = [records.run() for _ in range(33)]
    rows[7]["id"] = "not-a-uuid"
    rows[30]["trigger_log_id"] = "nor-this"
    poisons = await Table("runs", database, CODEC).write(messages("runs", rows))
    assert [p.message.offset() for p in poisons] == [7, 30]
    assert "uuid" in poisons[0].reason.lower()
    assert (await database.query("SELECT count() FROM workflow_runs")).rows == [[31]]


async def test_trouble_that_is_not_the_records_is_raised(clickhouse: ClickHouse) -> None:
    """There are no tables."""
    with pytest.raises(StatementRefused, match="UNKNOWN_TABLE"):
        await Table("runs", clickhouse, CODEC).write(messages("runs", [records.run()]))


async def test_a_disk_that_takes_no_directories_is_not_the_records_fault(clickhouse: ClickHouse) -> None:
    """One without inodes, say, or one that has become read-only: the records wait until it takes them."""
    await migrate(clickhouse)
    paths = (
        "SELECT data_paths[1] FROM system.tables "
        "WHERE database = currentDatabase() AND name = 'workflow_run_changes'"
    )
    data = Path((await clickhouse.query(paths)).rows[0][0])
    table, batch = Table("runs", clickhouse, CODEC), messages("runs", [records.run() for _ in range(2)])
    with _file_in_place_of(data), pytest.raises(StatementRefused, match="filesystem error"):
        await table.write(batch)
    assert await table.write(batch) == []
    assert (await clickhouse.query("SELECT count() FROM workflow_runs")).rows == [[2]]


@contextlib.contextmanager
def _file_in_place_of(directory: Path) -> Iterator[None]:
    """No directory can be made in it as long as the context lasts, whoever this is: root may do all else."""
    away = directory.rename(directory.with_name(f"{directory.name}-away"))
    directory.touch()
    try:
        yield
    finally:
        directory.unlink()
        away.rename(directory)


async def test_the_queries_of_the_seeds_run_as_they_stand(database: ClickHouse) -> None:
    failed = [
        records.trigger_log(status="FAILED", error="no", created_at=START_US + n * 1_000_000)
        for n in range(3)
    ]
    succeeded = [records.trigger_log(status="SUCCESS", elapsed_time=n / 2) for n in (1, 2)]
    await write(database, "trigger.logs", *failed, *succeeded, records.trigger_log(app_id="other"))
    found = await database.query(
        f"""SELECT * FROM workflow_trigger_logs
WHERE app_id = '{records.APP}'
  AND status = 'FAILED'
ORDER BY created_at DESC"""
    )
    assert [row["id"] for row in found.dicts()] == [row["id"] for row in reversed(failed)]
    average = await database.query(
        f"""SELECT AVG(elapsed_time) as avg_time
FROM workflow_trigger_logs
WHERE status = 'SUCCESS'
  AND workflow_id = '{records.WORKFLOW}'"""
    )
    assert average.dicts() == [{"avg_time": 0.75}]
