"""The sample data of docs/analytics.md: what the page shows is what its queries give."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bench.analytics.calendar import chunks
from bench.analytics.check import Compared, compare
from bench.analytics.page import PAGE, questions
from bench.analytics.sample import RUNS, SEED, answer, renewed
from bench.analytics.store import fill, roll_up
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

HISTORY = PAGE.with_name("history.md")


@pytest.fixture(scope="module")
def settings(clickhouse_directory: Path) -> Iterator[ClickHouseSettings]:
    """A database with the sample data, which takes some seconds to make: for all tests here."""
    database = f"sample{uuid.uuid4().hex[:10]}"
    made = ClickHouseSettings(dsn=SecretStr(f"chdb://{clickhouse_directory}?database={database}"))

    async def make() -> None:
        clickhouse = await ClickHouse.connect(made)
        await fill(clickhouse, RUNS, SEED)
        await roll_up(clickhouse)
        await clickhouse.close()

    async def drop() -> None:
        clickhouse = await ClickHouse.connect(made)
        await clickhouse.execute(f"DROP DATABASE {database} SYNC")
        await clickhouse.close()

    asyncio.run(make())
    yield made
    asyncio.run(drop())


@pytest.fixture
async def sample(settings: ClickHouseSettings) -> AsyncIterator[ClickHouse]:
    clickhouse = await ClickHouse.connect(settings)
    yield clickhouse
    await clickhouse.close()


async def test_the_page_shows_what_its_queries_give(sample: ClickHouse) -> None:
    """If this fails because the data or a query has changed: `python -m bench.analytics.sample --update`."""
    text = PAGE.read_text()
    assert await renewed(sample, text) == text


async def test_the_queries_of_the_seeds_find_something(sample: ClickHouse) -> None:
    seeds = [question for question in questions(PAGE.read_text()) if not question.title[0].isdigit()]
    assert len(seeds) == 2
    for question in seeds:
        assert len((await answer(sample, question.query)).splitlines()) > 1, question.title


async def test_each_run_is_there_once_with_its_nodes_and_its_log(sample: ClickHouse) -> None:
    counts = await sample.query(
        "SELECT count(), uniqExact(id), sum(total_steps), countIf(status = 'PAUSED') > 0 FROM workflow_runs"
    )
    (runs, ids, steps, has_paused) = counts.rows[0]
    assert (runs, ids, has_paused) == (RUNS, RUNS, 1)
    nodes = await sample.query(
        "SELECT count(), uniqExact(workflow_run_id), "
        "countIf(created_at < event_at OR finished_at < created_at) FROM workflow_node_executions"
    )
    assert nodes.rows == [[steps, RUNS, 0]]
    logs = "SELECT id FROM workflow_trigger_logs"
    lost = await sample.query(f"SELECT count() FROM workflow_runs WHERE trigger_log_id NOT IN ({logs})")
    assert lost.rows == [[0]]


async def test_executions_of_some_days_are_found_by_the_key_alone(sample: ClickHouse) -> None:
    """An index that answers for ranges of time as well makes ClickHouse read the whole table, with FINAL."""
    plan = await sample.explain(
        "EXPLAIN indexes = 1 SELECT error FROM workflow_node_executions WHERE event_at >= '2026-11-02'", {}
    )
    assert "PrimaryKey" in plan
    assert "PrimaryKeyExpand" not in plan


async def test_the_rollups_say_what_the_raw_tables_say(sample: ClickHouse) -> None:
    compared = await _compared(sample)
    assert compared.different == 0
    assert compared.rows > RUNS
    (check,) = questions(HISTORY.read_text())
    assert (check.title, len((await answer(sample, check.query)).splitlines())) == ("What equal means", 1)


async def test_a_figure_that_is_wrong_is_found(sample: ClickHouse) -> None:
    """A node that has changed since, unknown to the rollups, is in a minute, an hour and a day. The query of
    docs/history.md finds it as well.

    This test comes last, for it changes the data.
    """
    later = (
        "revision + 1 AS revision, elapsed_time + 1 AS elapsed_time, "
        "finished_at + toIntervalSecond(1) AS finished_at, now64(6) AS recorded_at"
    )
    await sample.execute(
        f"INSERT INTO workflow_node_execution_changes SELECT * REPLACE ({later}) "
        "FROM workflow_node_execution_changes FINAL "
        "WHERE tenant_id = 'acme' AND node_id = 'record' AND event_at >= '2026-11-02' ORDER BY id LIMIT 1"
    )
    (*_, last_week) = chunks(RUNS)
    (check,) = questions(HISTORY.read_text())
    compared, seen = await compare(sample, last_week), await sample.query(check.query)
    await roll_up(sample)
    assert compared.different == 2 * 3
    assert sorted(row["side"] for row in seen.dicts()) == [1, 2]
    assert {row["node_id"] for row in seen.dicts()} == {"record"}
    assert (await compare(sample, last_week)).different == 0
    assert (await sample.query(check.query)).rows == []


async def _compared(sample: ClickHouse) -> Compared:
    compared = Compared(0, 0)
    for chunk in chunks(RUNS):
        compared += await compare(sample, chunk)
    return compared
