"""The same calls over HTTP: a stand-in takes what a server would, and the real engine executes it.

With HOPLINE_TEST_CLICKHOUSE set to the DSN of a server, the same tests run against that.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bench.chaos.clickhouse import ClickHouseServer
from bench.chaos.clickhouse import dsn as dsn_of
from bench.fleet import lasting_port
from ingress.errors import Malformed
from ingress.sql import Sql
from sinks.migrate import migrate
from sinks.table import Table
from tests.sinks import records
from tests.sinks.records import CODEC, message
from transport.clickhouse import ClickHouse
from transport.errors import ClickHouseUnavailable, StatementRefused
from transport.settings import ClickHouseSettings


@pytest.fixture
def dsn(clickhouse: ClickHouse, clickhouse_directory: Path) -> Iterator[str]:
    """Of a server without a database. (`clickhouse` keeps the engine open meanwhile.)"""
    if server := os.environ.get("HOPLINE_TEST_CLICKHOUSE"):
        yield server.rstrip("/")
        return
    running = ClickHouseServer(clickhouse_directory)
    yield running.dsn
    running.close()


@pytest.fixture
async def server(dsn: str) -> AsyncIterator[ClickHouse]:
    database = f"t{uuid.uuid4().hex[:10]}"
    connected = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(f"{dsn}/{database}")))
    yield connected
    await connected.execute(f"DROP DATABASE {database} SYNC")
    await connected.close()


async def test_values_are_those_of_the_embedded_engine(server: ClickHouse) -> None:
    rows = await server.query(
        "SELECT {text:String} AS text, toUInt64(18446744073709551615) AS big, "
        "toDateTime64('2026-01-02 03:04:05.678901', 6, 'UTC') AS at, currentDatabase() AS db -- x",
        {"text": "it's\n\t\\ é"},
    )
    assert rows.rows == [
        ["it's\n\t\\ é", 18446744073709551615, "2026-01-02T03:04:05.678901Z", server.database]
    ]


async def test_a_server_that_comes_later_is_used_from_then_on(
    clickhouse: ClickHouse, clickhouse_directory: Path
) -> None:
    port = lasting_port()
    late = await ClickHouse.prepare(ClickHouseSettings(dsn=SecretStr(f"{dsn_of(port)}/late")))
    with pytest.raises(ClickHouseUnavailable, match="no ClickHouse server to be used"):
        await late.query("SELECT 1")
    running = ClickHouseServer(clickhouse_directory, port)
    assert (await late.query("SELECT currentDatabase()")).rows == [["late"]]
    await late.execute("DROP DATABASE late SYNC")
    await late.close()
    running.close()


@pytest.mark.parametrize("text", [b"a\n\nb", b"\n\n", b"a" * 10])
async def test_an_insert_may_hold_any_bytes(server: ClickHouse, text: bytes) -> None:
    await server.execute("CREATE TABLE texts (text String) ENGINE = Memory")
    await server.insert("texts", ["text"], bytes([len(text)]) + text, "RowBinary")
    assert (await server.query("SELECT hex(text) FROM texts")).rows == [[text.hex().upper()]]


async def test_an_insert_is_written_by_itself(server: ClickHouse) -> None:
    """And not gathered with others, which is what servers do unless they are told not to."""
    gathered = "gathered Bool DEFAULT getSetting('async_insert')"
    await server.execute(f"CREATE TABLE inserts (n UInt8, {gathered}) ENGINE = Memory")
    await server.insert("inserts", ["n"], b"\x01", "RowBinary")
    assert (await server.query("SELECT n, gathered FROM inserts")).rows == [[1, False]]


async def test_a_parameter_may_be_an_array(server: ClickHouse) -> None:
    rows = await server.query(
        "SELECT {words:Array(String)} AS words, {no:Array(UUID)} AS no, {vector:Array(Float32)} AS vector",
        {"words": "['a','it''s']", "no": "[]", "vector": "[0.5,-1]"},
    )
    assert rows.rows == [[["a", "it's"], [], [0.5, -1]]]


async def test_a_parameter_may_be_large(server: ClickHouse) -> None:
    """Beyond 4 KiB the client no longer puts it into the URL."""
    large = "ä\r\n--x\\" * 2_000
    rows = await server.query(
        "SELECT {large:String} = {again:String} AS same, {large:String} AS large",
        {"large": large, "again": large},
    )
    assert rows.rows == [[1, large]]


async def test_the_sink_writes_and_tells_poison(server: ClickHouse) -> None:
    assert await migrate(server) != []
    assert await migrate(server) == []
    values = [CODEC.encode("WorkflowRun", records.run()) for _ in range(300)]
    bad = [values[0][:20], CODEC.encode("WorkflowRun", records.run(id="no uuid"))]
    messages = [message("runs", value, offset) for offset, value in enumerate([*values, *bad])]
    poisons = await Table("runs", server, CODEC).write(messages)
    assert [p.message.offset() for p in poisons] == [300, 301]
    assert (await server.query("SELECT count(), any(graph) FROM workflow_runs")).rows == [[300, ""]]


async def test_queries_of_users_are_guarded(server: ClickHouse) -> None:
    await migrate(server)
    for tenant in ("it's \\ one", "two"):
        value = CODEC.encode("WorkflowRun", records.run(tenant_id=tenant))
        await Table("runs", server, CODEC).write([message("runs", value)])
    sql = Sql(server)
    assert (await sql.run("SELECT count() FROM workflow_runs")).rows == [[2]]
    assert (await sql.run("SELECT tenant_id FROM workflow_runs", "it's \\ one")).rows == [["it's \\ one"]]
    for query in (
        "SELECT * FROM system.users",
        "SELECT file('x')",
        "DROP TABLE workflow_run_changes",
        "SELEKT",
    ):
        with pytest.raises(Malformed):
            await sql.run(query)
    with pytest.raises(StatementRefused) as refused:
        await server.query_read_only("SELECT 1 SETTINGS readonly = 0", {}, {})
    assert refused.value.code == 164


async def test_statements_run_side_by_side(server: ClickHouse) -> None:
    found = await asyncio.gather(
        *(server.query("SELECT {n:UInt8}, sleep(0.1)", {"n": str(n)}) for n in range(8))
    )
    assert [rows.rows[0][0] for rows in found] == list(range(8))


async def test_errors_say_whether_the_server_was_there(server: ClickHouse, dsn: str) -> None:
    with pytest.raises(StatementRefused) as refused:
        await server.query("SELECT * FROM nowhere")
    assert refused.value.code == 60
    wrong = dsn.replace("p%2Fw", "wrong") if "p%2Fw" in dsn else "http://nobody:x@127.0.0.1:1"
    with pytest.raises(ClickHouseUnavailable, match=r"no ClickHouse server to be used at .* correct HOPLINE"):
        await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(wrong)))
