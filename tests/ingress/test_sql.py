"""Queries of users: the history, all of it, and nothing else."""

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingress.errors import Malformed
from ingress.sql import Sql, SqlLimits
from sinks.migrate import migrations
from sinks.rollups import Rollups
from tests.sinks import records
from tests.sinks.records import TENANT, write
from transport.clickhouse import ClickHouse

OTHERS = "it's \\ another"


@pytest.fixture
async def sql(database: ClickHouse) -> Sql:
    rows = [records.run(status="SUCCEEDED"), records.run(status="FAILED"), records.run(tenant_id=OTHERS)]
    await write(database, "runs", *rows)
    return Sql(database, SqlLimits(rows=50, seconds=60))


ASKED = [
    ("SELECT count() FROM workflow_runs", [[3]]),
    (
        "select status, count() from workflow_runs group by all order by status desc;",
        [["SUCCEEDED", 1], ["RUNNING", 1], ["FAILED", 1]],
    ),
    (
        "WITH r AS (SELECT status FROM workflow_runs) SELECT count() FROM r WHERE status LIKE '%ED' -- x",
        [[2]],
    ),
    ("(SELECT 1) UNION ALL (SELECT 1)", [[1], [1]]),
    ("FROM workflow_runs SELECT countIf(status IN (SELECT 'FAILED'))", [[1]]),
    ("SELECT number FROM numbers(3) ORDER BY number DESC", [[2], [1], [0]]),
    ("SELECT 'file(''x'') INTO OUTFILE', count() FROM dead_letters", [["file('x') INTO OUTFILE", 0]]),
    ("SELECT JSONExtractInt(inputs, 'a') AS a FROM workflow_runs LIMIT 1", [[1]]),
    ("SELECT 1 FROM workflow_runs r JOIN workflow_trigger_logs l ON r.id = l.workflow_run_id", []),
    ("SELECT 1 AS `a``b\\\\`, 'x' AS `é è`", [[1, "x"]]),
    ("SELECT length(graph) FROM workflow_runs LIMIT 1", [[0]]),
    ("SELECT uniq(id) FROM workflow_run_changes FINAL", [[3]]),
    ("SELECT spans.status FROM workflow_runs AS spans WHERE spans.status = 'FAILED'", [["FAILED"]]),
    ("WITH q AS (SELECT 2 AS x) SELECT q.x FROM workflow_runs AS r, q LIMIT 1", [[2]]),
    ("SELECT 'PREWHERE', 1 AS `it's`, 2 AS `one's`", [["PREWHERE", 1, 2]]),
    ("SELECT substring('né', 1, 2), unhex('ff00')", [["n\ufffd", "\ufffd\0"]]),
    ("SELECT substring(concat('né', status), 1, 2) FROM workflow_runs LIMIT 1", [["n\ufffd"]]),
]


@pytest.mark.parametrize(("query", "rows"), ASKED)
async def test_what_analysts_ask(sql: Sql, query: str, rows: list[list[object]]) -> None:
    assert (await sql.run(query)).rows == rows


def test_queries_have_the_settings_that_the_views_have() -> None:
    """A read-only session passes over those of the views."""
    texts = "".join(migration.text for migration in migrations())
    clauses = re.findall(r"FINAL(?:\nWHERE [^\n]+)?\nSETTINGS ([^;]+);", texts)
    wanted = dict(re.findall(r"(\w+) = (\w+)", ",".join(clauses)))
    assert wanted.items() <= SqlLimits().settings().items()
    assert len(wanted) == 2


async def test_a_filter_by_app_is_applied_before_all_is_read(database: ClickHouse) -> None:
    await write(database, "trigger.logs", records.trigger_log())
    plan = await database.explain(
        "EXPLAIN actions = 1 SELECT * FROM workflow_trigger_logs WHERE app_id = 'x'", SqlLimits().settings()
    )
    assert "Prewhere" in plan


async def test_a_result_is_cut_off(sql: Sql) -> None:
    result = await sql.run("SELECT number AS n FROM numbers(51)")
    assert (result.columns, len(result.rows), result.truncated) == (("n",), 50, True)
    assert not (await sql.run("SELECT number FROM numbers(50)")).truncated


@pytest.mark.parametrize("tenant_id", [TENANT, OTHERS])
@pytest.mark.parametrize("table", ["workflow_runs", "workflow_run_changes"])
async def test_a_tenant_sees_its_own_rows_only(sql: Sql, tenant_id: str, table: str) -> None:
    result = await sql.run(f"SELECT DISTINCT tenant_id FROM {table}", tenant_id)
    assert result.rows == [[tenant_id]]
    result = await sql.run(
        f"SELECT (SELECT count() FROM {table}), count(), countIf(id IN (SELECT id FROM {table})) "
        f"FROM {table}",
        tenant_id,
    )
    assert result.rows == [[2, 2, 2] if tenant_id == TENANT else [1, 1, 1]]


@pytest.mark.parametrize("tenant_id", [TENANT, OTHERS])
async def test_a_tenant_sees_its_own_figures_only(sql: Sql, database: ClickHouse, tenant_id: str) -> None:
    await Rollups(database).refresh()
    for table in ("run_metrics_1m", "run_metrics_1h", "run_metrics_1d", "run_rollups"):
        result = await sql.run(f"SELECT DISTINCT tenant_id FROM {table}", tenant_id)
        assert result.rows == [[tenant_id]], table


FAILING = [
    "SELECT id FROM {table} WHERE accurateCast(error, 'UInt8') = 1 AND status != ''",
    "SELECT count() FROM {table} WHERE throwIf(error LIKE 'Top%') = 0",
    "SELECT count() FROM {table} WHERE throwIf(app_id = 'other') = 0",
    "SELECT count() FROM (SELECT * FROM {table} ORDER BY id) WHERE throwIf(error LIKE 'Top%') = 0",
    "SELECT count() FROM {table} a JOIN {table} b USING id WHERE throwIf(a.error LIKE 'Top%') = 0",
    "SELECT intDiv(1, total_tokens - 77) AS x, count() FROM {table} GROUP BY x HAVING x != 3",
    "SELECT id FROM {table} WHERE throwIf(total_tokens = 77) = 0 LIMIT 1 BY tenant_id",
    "SELECT id FROM {table} ORDER BY throwIf(total_tokens = 77), event_at LIMIT 1",
    "SELECT count() FROM {table} a JOIN {table} b ON accurateCast(a.error, 'UInt8') = b.total_tokens",
]
"""For a row of another tenant, if they get to see one."""


@pytest.mark.parametrize("table", ["workflow_runs", "workflow_run_changes"])
async def test_nothing_is_computed_of_rows_of_others(database: ClickHouse, table: str) -> None:
    others = {"tenant_id": OTHERS, "app_id": "other", "error": "Top secret", "total_tokens": 77}
    for _ in range(3):
        both = (
            record
            for _ in range(20)
            for record in (records.run(error="1"), records.run(**others, status="FAILED"))
        )
        await write(database, "runs", *both)
    sql = Sql(database)
    for query in FAILING:
        await sql.run(query.format(table=table), TENANT)


ELSEWHERE = [
    "SELECT (SELECT accurateCast(graph, 'UInt8') FROM workflow_graphs)",
    "SELECT (SELECT accurateCast(graph, 'UInt8') FROM {database}.workflow_graphs AS workflow_runs)",
    "SELECT 1 LIMIT (SELECT accurateCast(graph, 'UInt8') FROM `workflow_graphs`)",
    "SELECT 1 FROM numbers((SELECT accurateCast(graph, 'UInt8') FROM workflow_graphs))",
    "WITH (SELECT accurateCast(graph, 'UInt8') FROM workflow_graphs) AS x SELECT x",
    "SELECT (WITH workflow_graphs AS (SELECT 1) SELECT 1 FROM workflow_graphs), "
    "(SELECT accurateCast(graph, 'UInt8') FROM workflow_graphs)",
    "SELECT (SELECT throwIf(('hash', 'Top secret') IN workflow_graphs))",
    "SELECT (SELECT throwIf(('hash', 'Top secret') IN {database}.workflow_graphs))",
    "SELECT (SELECT throwIf(in(('hash', 'Top secret'), (workflow_graphs))))",
    "SELECT (SELECT accurateCast(create_table_query, 'UInt8') FROM system.tables LIMIT 1)",
    "SELECT (SELECT throwIf(name = name) FROM information_schema.tables LIMIT 1)",
]
"""ClickHouse runs these while it analyses them."""


@pytest.mark.parametrize("query", ELSEWHERE)
async def test_nothing_is_read_elsewhere_before_it_is_refused(
    sql: Sql, database: ClickHouse, query: str
) -> None:
    await database.execute("INSERT INTO workflow_graphs VALUES ('hash', 'Top secret')")
    with pytest.raises(Malformed, match=r"^[\w.]+ is not a table of the run history"):
        await sql.run(query.format(database=database.database), TENANT)


@pytest.mark.parametrize("subject", ["run", "node", "trigger", "dead_letter"])
async def test_every_figure_can_be_asked_for(sql: Sql, subject: str) -> None:
    for period in ("1m", "1h", "1d"):
        await sql.run(f"SELECT time, tenant_id, rate FROM {subject}_metrics_{period}", TENANT)


REFUSED = [
    "DROP TABLE workflow_run_changes",
    "INSERT INTO workflow_graphs VALUES ('a', 'b')",
    "SELECT 1; DROP TABLE workflow_run_changes",
    "SELECT 1) INTO OUTFILE '{out}' -- ",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 FORMAT CSV",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT * FROM (SELECT * FROM workflow_runs SETTINGS additional_table_filters = {{}})",
    "SELECT file('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT FILE('{secret}')",
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT * APPLY(file) FROM (SELECT '{secret}')",
    "SELECT sum(1) OVER (ORDER BY file('{secret}'))",
    "SELECT * FROM file('{secret}')",
    "SELECT * FROM file('{secret}', 'CSV', 'a String')",
    "SELECT 1 IN file('{secret}', 'CSV', 'a Int8')",
    "SELECT * FROM url('{url}', 'CSV', 'a String')",
    "SELECT * FROM url('{url}')",
    "SELECT * FROM s3('{url}', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1', 'system', 'one')",
    "SELECT * FROM cluster('default', 'system', 'one')",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM executable('ls', 'CSV', 'a String')",
    "SELECT * FROM Python(records)",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM dictionary('d')",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
    "EXPLAIN SELECT 1",
    "SHOW TABLES",
    "SELECT * FROM system.processes",
    "SELECT 1 IN system.users",
    "SELECT (SELECT count() FROM system.settings)",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM workflow_graphs",
    "SELECT * FROM schema_migrations",
    "SELECT joinGet('workflow_graphs', 'graph', 'x')",
    "SELECT dictGet('d', 'a', 1)",
    "SELECT sleep(1)",
    "SELECT 1 AS `'`, sleep(1) AS `x'`",
    "SELECT 1 AS `\\`'`, getServerSetting('max_connections') AS `x'`",
    "SELECT 1 FROM workflow_run_changes PREWHERE id = ''",
    "SELECT (SELECT 1 FROM workflow_run_changes prewhere throwIf(error = 'a') LIMIT 1)",
    "SELECT 1 IN (SELECT 1 FROM workflow_run_changes PREWHERE 1)",
    "KILL QUERY WHERE 1",
    "SYSTEM SHUTDOWN",
    "USE system",
    "SET readonly = 0",
    "exit",
    "",
    "SELECT {{x:String}}",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM nowhere",
]


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """A server that nobody may ask."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_PUT = do_GET

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/bucket/key.csv", asked
    server.shutdown()
    thread.join()
    server.server_close()


async def test_whatever_reaches_beyond_the_history_is_refused(
    sql: Sql, web: tuple[str, list[str]], tmp_path: Path
) -> None:
    secret, out = tmp_path / "secret.csv", tmp_path / "out.csv"
    secret.write_text("42\n")
    url, asked = web
    for query in REFUSED:
        with pytest.raises(Malformed):
            print(query, await sql.run(query.format(secret=secret, out=out, url=url), TENANT))
    assert not out.exists()
    assert asked == []
    assert (await sql.run("SELECT count() FROM workflow_runs")).rows == [[3]]


async def test_a_query_that_takes_too_long_is_stopped(database: ClickHouse) -> None:
    sql = Sql(database, SqlLimits(seconds=2))
    with pytest.raises(Malformed, match=r"TIMEOUT_EXCEEDED|estimated query execution time"):
        await sql.run("SELECT count() FROM numbers(1e12) WHERE NOT ignore(sipHash64(number))")


async def test_a_query_that_takes_too_much_is_stopped(database: ClickHouse) -> None:
    small = Sql(database, SqlLimits(memory_bytes=20_000_000, result_bytes=100_000))
    with pytest.raises(Malformed, match="MEMORY_LIMIT_EXCEEDED"):
        await small.run("SELECT length(groupArray(number)) FROM numbers(100000000)")
    for length in (1000, 1_000_000):
        with pytest.raises(Malformed, match=r"TOO_MANY_ROWS_OR_BYTES|MEMORY_LIMIT_EXCEEDED"):
            await small.run(f"SELECT repeat('x', {length}) FROM numbers(1000)")
