"""Each query of the dashboards runs, finds what has been written, and gives what its panel can draw."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.grafana.build import BOARDS
from deploy.grafana.panels import CLICKHOUSE, Board
from schemas.models import DEFAULT_TENANT
from sinks.rollups import Rollups
from tests.sinks import records
from tests.sinks.records import START_US, write
from transport.clickhouse import ClickHouse

Json = dict[str, Any]


def queries(board: Board) -> Iterator[tuple[str, Json]]:
    """Title of the panel and target."""
    for panel in board.json()["panels"]:
        for target in panel.get("targets", ()):
            if target["datasource"] == CLICKHOUSE:
                yield panel["title"], target


def expanded(sql: str, period: str, *, chosen: bool) -> str:
    """As the data source sends it: with all tenants, or with one that has been chosen."""
    sql = sql.replace("${period}", period)
    for macro, at_s in (("$__fromTime", -1_800), ("$__toTime", 1_800)):
        sql = sql.replace(macro, f"toDateTime({START_US // 1_000_000 + at_s})")
    sql = re.sub(r"\$__conditionalAll\((.*?\)), \$\w+\)", r"\1" if chosen else "1=1", sql)
    for name, value in (("tenant", DEFAULT_TENANT), ("app", "orders"), ("workflow", "flow")):
        sql = sql.replace(f"${{{name}:singlequote}}", f"'{value}'")
    begin, end = START_US // 1_000_000 - 1_800, START_US // 1_000_000 + 1_800
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({begin}) AND \1 <= toDateTime({end})", sql)
    assert "$" not in sql, sql
    return sql


@pytest.fixture
async def history(database: ClickHouse) -> ClickHouse:
    """One of each: a run that has failed, with a node that has cost something."""
    owner = {"tenant_id": DEFAULT_TENANT, "app_id": "orders", "workflow_id": "flow"}
    metadata = '{"total_tokens": 12, "total_price": "0.25", "currency": "USD"}'
    ended = {"status": "FAILED", "finished_at": START_US + 1_000_000, "elapsed_time": 1.0, "total_tokens": 12}
    for topic, row in (
        ("runs", records.run(**owner, **ended)),
        ("node.executions", records.node(**owner, execution_metadata=metadata, status="failed",
                                         finished_at=START_US + 1_000_000)),
        ("trigger.logs", records.trigger_log(**owner, status="FAILED", triggered_at=START_US + 1_000)),
    ):  # fmt: skip
        await write(database, topic, row)
    await Rollups(database).refresh()
    return database


async def test_each_query_runs_and_finds_what_has_been_written(history: ClickHouse) -> None:
    for board in BOARDS:
        for title, target in queries(board):
            for period in board.periods or ("1h",):
                for chosen in (False, True):
                    found = await history.query(expanded(target["rawSql"], period, chosen=chosen))
                    assert found.rows, f"{board.name}: {title}"
                    if target["queryType"] == "timeseries":
                        check_series(found.types)
            nobody = expanded(target["rawSql"], "1h", chosen=True).replace(DEFAULT_TENANT, "somebody-else")
            if "tenant_id IN" in target["rawSql"]:
                assert (await history.query(nobody)).rows == [], title


def check_series(types: tuple[str, ...]) -> None:
    """A time, then texts that name series, then figures."""
    assert types[0].startswith("DateTime")
    figures = [kind for kind in types[1:] if "String" not in kind]
    assert figures
    assert all(re.match(r"(Nullable\()?(U?Int|Float)", kind) for kind in figures), types


async def test_the_choices_of_variables_are_what_has_been_written(history: ClickHouse) -> None:
    expected = {"tenant": DEFAULT_TENANT, "app": "orders", "workflow": "flow"}
    for variable in next(board for board in BOARDS if board.name == "triggers").variables:
        found = await history.query(expanded(variable.query, "1h", chosen=True))
        assert found.rows == [[expected[variable.name]]]
