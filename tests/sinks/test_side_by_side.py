"""A sink of this release on the tables of a later one, as in a rolling upgrade and after going back."""

from collections.abc import Mapping
from typing import Any

import pytest

from schemas.topics import TOPICS
from sinks.migrate import migrate
from sinks.table import TABLES, Table
from tests.sinks import records
from tests.sinks.records import CODEC, message
from transport.clickhouse import ClickHouse


@pytest.fixture
async def later(clickhouse: ClickHouse) -> ClickHouse:
    """Each table has got a column, and each view shows it."""
    await migrate(clickhouse)
    for table in TABLES.values():
        await clickhouse.execute(f"ALTER TABLE {table} ADD COLUMN of_a_later_release Nullable(String)")
        await clickhouse.execute(
            f"ALTER TABLE {table} ADD COLUMN counted UInt32 DEFAULT 7 AFTER of_a_later_release"
        )
    await clickhouse.execute("INSERT INTO schema_migrations (version, name) VALUES (9999, 'later')")
    return clickhouse


ROWS: dict[str, Mapping[str, Any]] = {
    "trigger.events": records.event(),
    "trigger.logs": records.trigger_log(),
    "runs": records.run(),
    "node.executions": records.node(),
    "dead.letters": records.dead_letter(),
}


async def test_it_writes_what_it_knows_and_the_rest_has_its_default(later: ClickHouse) -> None:
    assert await migrate(later) == [], "migrations that it does not know are none of its business"
    for topic, row in ROWS.items():
        value = CODEC.encode(TOPICS[topic].schema or "", row)
        assert await Table(topic, later, CODEC).write([message(topic, value)]) == []
        found = await later.query(f"SELECT of_a_later_release, counted FROM {TABLES[topic]}")
        assert found.rows == [[None, 7]]
        view = TABLES[topic].removesuffix("_changes") + "s"
        assert (await later.query(f"SELECT count() FROM {view}")).rows == [[1]]
    newest = await later.query("SELECT max(version) FROM schema_migrations")
    assert newest.rows == [[9999]]
