"""The embedded engine behind a DSN: sessions, parameters, inserts, errors, the lock of its directory."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from transport.clickhouse import ClickHouse, Engine
from transport.errors import ClickHouseUnavailable, StatementRefused
from transport.settings import ClickHouseSettings


def settings(dsn: str) -> ClickHouseSettings:
    return ClickHouseSettings(dsn=SecretStr(dsn))


@pytest.mark.parametrize(
    ("dsn", "path", "database"),
    [
        ("chdb://.hopline/clickhouse", Path(".hopline/clickhouse"), "hopline"),
        ("chdb:///var/lib/hopline?database=other", Path("/var/lib/hopline"), "other"),
        ("http://user:p%40ss@host:8123/runs", None, "runs"),
        ("clickhouses://host", None, "hopline"),
        ("https://host/", None, "hopline"),
    ],
)
def test_a_dsn_names_engine_and_database(dsn: str, path: Path | None, database: str) -> None:
    assert (settings(dsn).path, settings(dsn).database) == (path, database)


@pytest.mark.parametrize(
    "dsn",
    [
        "", "chdb://", "mysql://host/db", "http://", "http://host/a/b", "http://host:port/db",
        "http://me:s3cret#1@host:8123/db", "http://me:s3cret/1@host",
    ],
)  # fmt: skip
def test_another_dsn_is_refused(dsn: str) -> None:
    with pytest.raises(ValidationError, match="HOPLINE_CLICKHOUSE is chdb://directory or http") as refused:
        settings(dsn)
    assert "s3cret" not in str(refused.value)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(settings("http://user:secret@host/db"))


async def test_a_result_has_plain_values(clickhouse: ClickHouse) -> None:
    rows = await clickhouse.query(
        "SELECT {text:String} AS text, toUInt64(18446744073709551615) AS big, "
        "toDateTime64('2026-01-02 03:04:05.678901', 6, 'UTC') AS at, NULL AS none, "
        "currentDatabase() AS db -- x",
        {"text": "it's\n\t\\ \0é"},
    )
    assert rows.dicts() == [
        {
            "text": "it's\n\t\\ \0é",
            "big": 18446744073709551615,
            "at": "2026-01-02T03:04:05.678901Z",
            "none": None,
            "db": clickhouse.database,
        }
    ]


@pytest.mark.parametrize("rows", [1, 20_000])
async def test_an_insert_is_whole_whatever_its_size(clickhouse: ClickHouse, rows: int) -> None:
    await clickhouse.execute("CREATE TABLE t (id UInt32, text String) ENGINE = MergeTree ORDER BY id")
    data = b"\n".join(orjson.dumps({"id": i, "text": f"a'b\n\n;{i}"}) for i in range(rows))
    await clickhouse.insert("t", ("id", "text"), data, "JSONEachRow")
    found = await clickhouse.query("SELECT count(), uniqExact(text), sum(id) FROM t")
    assert found.rows == [[rows, rows, rows * (rows - 1) // 2]]


@pytest.mark.parametrize("text", [b"a\n\nb", b"\n\n", b"ends\n\n", b"a" * 10, b"a;\n", b"'\\\r\n\r\n"])
async def test_an_insert_may_hold_any_bytes(clickhouse: ClickHouse, text: bytes) -> None:
    """A length of ten is a line break, and inline data ends at a blank line as the engine sees it."""
    await clickhouse.execute("CREATE TABLE texts (text String) ENGINE = Memory")
    await clickhouse.insert("texts", ["text"], bytes([len(text)]) + text, "RowBinary")
    assert (await clickhouse.query("SELECT hex(text) FROM texts")).rows == [[text.hex().upper()]]


async def test_a_skip_index_is_made_by_the_first_merge(clickhouse: ClickHouse) -> None:
    await clickhouse.execute("CREATE TABLE t (n Int64, INDEX i n TYPE minmax) ENGINE = MergeTree ORDER BY n")
    sizes = "SELECT secondary_indices_compressed_bytes > 0 AS made FROM system.parts WHERE active "
    made = f"{sizes} AND database = currentDatabase()"
    for data in (b"1\n", b"2\n"):
        await clickhouse.insert("t", ["n"], data, "TabSeparated")
    assert (await clickhouse.query(made)).rows == [[0], [0]]
    assert (await clickhouse.query("SELECT n FROM t WHERE n = 2")).rows == [[2]]
    await clickhouse.execute("OPTIMIZE TABLE t FINAL")
    assert (await clickhouse.query(made)).rows == [[1]]


async def test_a_refused_statement_carries_its_code(clickhouse: ClickHouse) -> None:
    with pytest.raises(StatementRefused, match="UNKNOWN_TABLE") as refused:
        await clickhouse.query("SELECT * FROM nowhere")
    assert refused.value.code == 60


async def test_what_breaks_off_leaves_nothing_for_the_next_answer(clickhouse: ClickHouse) -> None:
    """It has given some of its rows before it broke off."""
    bounds = "SETTINGS max_threads = 1, max_block_size = 1000"
    breaking = f"SELECT throwIf(number = 900000) FROM numbers(1000000) {bounds}"
    for _ in range(3):
        with pytest.raises(StatementRefused):
            await clickhouse.query(breaking)
        assert (await clickhouse.query("SELECT 1")).rows == [[1]]


async def test_statements_run_side_by_side_and_leave_the_loop_alone(clickhouse: ClickHouse) -> None:
    """They would take half a minute each: none can have ended by itself when three are seen under way."""
    long = "SELECT sleep(0.05) FROM numbers(600) SETTINGS max_block_size = 1"
    under_way = [asyncio.create_task(clickhouse.query(long)) for _ in range(3)]
    those = f"startsWith(query, '{long}')"
    while (await clickhouse.query(f"SELECT count() FROM system.processes WHERE {those}")).rows != [[3]]:
        assert not any(one.done() for one in under_way)
    await clickhouse.execute(f"KILL QUERY WHERE {those} ASYNC")
    for refused in await asyncio.gather(*under_way, return_exceptions=True):
        assert isinstance(refused, StatementRefused)
        assert refused.code == 394


async def test_a_read_only_session_can_change_nothing(clickhouse: ClickHouse) -> None:
    await clickhouse.execute("CREATE TABLE t (id UInt32) ENGINE = MergeTree ORDER BY id")
    limits = {"max_execution_time": "1"}
    for statement in (
        "INSERT INTO t SELECT 1",
        "DROP TABLE t",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 100",
    ):
        with pytest.raises(StatementRefused) as refused:
            await clickhouse.query_read_only(statement, {}, limits)
        assert refused.value.code == 164, statement
    with pytest.raises(StatementRefused, match="TIMEOUT_EXCEEDED"):
        await clickhouse.query_read_only("SELECT sleep(2)", {}, limits)
    await clickhouse.execute("INSERT INTO t SELECT 1")


async def test_a_second_process_is_told_who_has_the_directory(
    clickhouse: ClickHouse, clickhouse_directory: Path
) -> None:
    program = """
import asyncio, sys
from pydantic import SecretStr
from transport.clickhouse import ClickHouse
from transport.errors import ClickHouseUnavailable
from transport.settings import ClickHouseSettings
try:
    asyncio.run(ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(sys.argv[1]))))
except ClickHouseUnavailable as locked:
    print(locked)
"""
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, f"chdb://{clickhouse_directory}"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "another process has the embedded ClickHouse engine open" in told.stdout
    assert told.stdout.count("\n") == 1
    assert told.stderr == ""


async def test_a_second_directory_in_one_process_is_refused(clickhouse: ClickHouse, tmp_path: Path) -> None:
    with pytest.raises(ClickHouseUnavailable, match=r"cannot open .*: .*already initialized with path"):
        await ClickHouse.connect(settings(f"chdb://{tmp_path}"))


async def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClickHouseUnavailable, match="set HOPLINE_CLICKHOUSE to a directory"):
        await ClickHouse.connect(settings(f"chdb://{tmp_path}/file"))


async def test_a_server_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(ClickHouseUnavailable, match=r"no ClickHouse server to be used at 127.0.0.1:1 "):
        await ClickHouse.connect(settings("http://127.0.0.1:1"))


class Busy:
    """An engine that answers when it is let."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def run(self, sql: str, parameters: Mapping[str, str]) -> bytes:
        assert self.free.wait(30)
        return b""

    def run_read_only(self, sql: str, parameters: Mapping[str, str], settings: Mapping[str, str]) -> bytes:
        raise NotImplementedError

    def insert(self, table: str, columns: Sequence[str], data: bytes, input_format: str, token: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to close."""


async def test_who_has_waited_long_enough_for_a_turn_is_sent_away() -> None:
    engine = Busy()
    impatient = ClickHouse(engine, "d", patience_s=0.05)
    under_way = [asyncio.create_task(impatient.execute("SELECT 1")) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(ClickHouseUnavailable, match="ClickHouse is busy"):
        await impatient.execute("SELECT 2")
    engine.free.set()
    await asyncio.gather(*under_way)
    await impatient.execute("SELECT 3")
    await impatient.close()
    with pytest.raises(ClickHouseUnavailable, match="about to end"):
        await impatient.execute("SELECT 4")


async def test_closing_waits_for_a_statement_only_as_long_as_it_is_told_to() -> None:
    engine = Busy()
    hanging = ClickHouse(engine, "d")
    under_way = asyncio.create_task(hanging.execute("SELECT 1"))
    await asyncio.sleep(0)
    assert not await hanging.close(0.05)
    engine.free.set()
    await under_way
    assert await hanging.close(30)


class _Cut:
    """An engine whose answers come as a connection and a server may leave them."""

    def __init__(self, engine: Engine, change: Callable[[bytes], bytes]) -> None:
        self._engine, self._change = engine, change

    def run(self, sql: str, parameters: Mapping[str, str]) -> bytes:
        return self._change(self._engine.run(sql, parameters))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda answer: answer[:-9], ClickHouseUnavailable),
        (lambda answer: b"<html>502 Bad Gateway</html>", ClickHouseUnavailable),
        (lambda answer: b"[]", ClickHouseUnavailable),
        (lambda answer: b'{"error": "no such page"}', ClickHouseUnavailable),
        (
            lambda answer: answer.replace(b'"rows"', b'"exception": "Code: 241. It ran out", "rows"'),
            StatementRefused,
        ),
    ],
)
async def test_what_is_no_whole_result_is_a_failure_and_not_an_answer(
    clickhouse: ClickHouse, change: Callable[[bytes], bytes], error: type[Exception]
) -> None:
    cut = ClickHouse(cast(Any, _Cut(clickhouse._engine, change)), clickhouse.database)
    with pytest.raises(error):
        await cut.query("SELECT number FROM numbers(3)")
