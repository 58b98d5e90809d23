"""Migrations run once, can be repeated, and give the views the columns of the contract."""

import asyncio

import pytest

from schemas.codec import load
from schemas.topics import TOPICS
from sinks.migrate import migrate, migrations
from sinks.table import TABLES
from transport.clickhouse import ClickHouse

# As the seed documents list them; celery_task_id is task_id.
SEEDS = {
    "workflow_trigger_logs": "id tenant_id app_id workflow_id workflow_run_id root_node_id trigger_metadata "
    "trigger_type trigger_data inputs outputs status error queue_name task_id retry_count elapsed_time "
    "total_tokens created_by_role created_by created_at triggered_at finished_at",
    "workflow_runs": "id tenant_id app_id workflow_id type triggered_from version graph inputs status "
    "outputs error elapsed_time total_tokens total_steps exceptions_count created_by_role created_by "
    "created_at finished_at",
    "workflow_node_executions": "id tenant_id app_id workflow_id triggered_from workflow_run_id index "
    "predecessor_node_id node_execution_id node_id node_type title inputs process_data outputs status error "
    "elapsed_time execution_metadata created_by_role created_by created_at finished_at",
}


async def test_each_migration_runs_once(clickhouse: ClickHouse) -> None:
    names = [migration.name for migration in migrations()]
    assert await migrate(clickhouse) == names
    assert await migrate(clickhouse) == []
    recorded = await clickhouse.query("SELECT version, name FROM schema_migrations FINAL ORDER BY version")
    assert recorded.rows == [[number, name] for number, name in enumerate(names, 1)]


async def test_sinks_that_start_together_and_crashes_half_way_do_no_harm(clickhouse: ClickHouse) -> None:
    await asyncio.gather(*(migrate(clickhouse) for _ in range(3)))
    await clickhouse.execute("TRUNCATE TABLE schema_migrations")
    assert await migrate(clickhouse) != []
    recorded = await clickhouse.query("SELECT count() FROM schema_migrations FINAL")
    assert recorded.rows == [[len(migrations())]]


@pytest.mark.parametrize("view", SEEDS)
async def test_a_view_begins_with_the_columns_of_the_seed(database: ClickHouse, view: str) -> None:
    columns = (await database.query(f"SELECT * FROM {view}")).columns
    expected = tuple(SEEDS[view].split())
    assert columns[: len(expected)] == expected
    assert columns[-1] == "recorded_at"


@pytest.mark.parametrize("topic", TABLES)
async def test_every_field_has_its_column(database: ClickHouse, topic: str) -> None:
    fields = {field["name"] for field in load(TOPICS[topic].schema or "")["fields"]}
    view = TABLES[topic].removesuffix("_changes") + "s"
    for table in (TABLES[topic], view):
        columns = (await database.query(f"SELECT * FROM {table}")).columns
        assert fields <= set(columns), table


async def test_the_views_can_be_read_from_another_database(clickhouse: ClickHouse) -> None:
    await migrate(clickhouse)
    for view in ("workflow_runs", "workflow_trigger_logs", "dead_letters"):
        await clickhouse.query_read_only(
            f"SELECT * FROM {clickhouse.database}.{view}", {}, {"max_execution_time": "5"}
        )
    await clickhouse.execute("USE default")
    assert (await clickhouse.query(f"SELECT graph FROM {clickhouse.database}.workflow_runs")).rows == []
