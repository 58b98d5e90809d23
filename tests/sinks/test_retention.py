"""Rows go when the time of their tenant is over, all states of an id together; rollups when theirs is."""

import pytest

from sinks.migrate import migrate
from sinks.retention import FOREVER, Retention, apply_retention
from sinks.rollups import Rollups
from sinks.settings import SinkSettings
from sinks.table import Table
from tests.sinks import records
from tests.sinks.records import CODEC, message
from transport.clickhouse import ClickHouse

_DAY_US = 86_400_000_000


@pytest.fixture
async def database(clickhouse: ClickHouse) -> ClickHouse:
    await migrate(clickhouse)
    return clickhouse


async def _write(database: ClickHouse, *runs: dict[str, object]) -> None:
    batch = [message("runs", CODEC.encode("WorkflowRun", run), offset) for offset, run in enumerate(runs)]
    assert await Table("runs", database, CODEC).write(batch) == []


async def _days_ago(database: ClickHouse, days: int) -> int:
    found = await database.query("SELECT toUnixTimestamp64Micro(now64(6))")
    now_us: int = found.rows[0][0]
    return now_us - days * _DAY_US


async def _kept(database: ClickHouse) -> list[list[object]]:
    await database.execute("OPTIMIZE TABLE workflow_run_changes FINAL")
    days = "dateDiff('day', event_at, now())"
    found = await database.query(
        f"SELECT tenant_id, groupArraySorted(9)({days}) FROM workflow_runs GROUP BY 1 ORDER BY 1"
    )
    return found.rows


async def test_each_tenant_has_a_time_of_its_own(database: ClickHouse) -> None:
    for days in (1, 20, 40):
        at = await _days_ago(database, days)
        for tenant in ("default", "it's short", "long", "ever"):
            await _write(database, records.run(tenant_id=tenant, created_at=at))
    retention = Retention(30, {"it's short": 7, "long": 35, "ever": 0})
    assert "workflow_run_changes" in await apply_retention(database, retention)
    assert await apply_retention(database, retention) == []
    kept = await _kept(database)
    assert kept == [["default", [1, 20]], ["ever", [1, 20, 40]], ["it's short", [1]], ["long", [1, 20]]]
    # It can be changed, and is then true of what is there already.
    await apply_retention(database, Retention(10, {"long": 10}))
    assert {tuple(days) for _, days in await _kept(database)} == {(1,)}
    await apply_retention(database, FOREVER)
    ttls = await database.query(
        "SELECT name FROM system.tables WHERE engine_full LIKE '%toIntervalDay%' "
        "AND database = currentDatabase() AND name != 'rollup_changes'"
    )
    assert ttls.rows == []


async def test_a_late_change_of_what_is_forgotten_leaves_its_figures(database: ClickHouse) -> None:
    old, retention = await _days_ago(database, 8), Retention(7, {"it's short": 3, "ever": 0})
    run, other = (records.run(created_at=old) for _ in range(2))
    await _write(database, run, other)
    await Rollups(database).refresh()
    await apply_retention(database, retention)
    assert await _kept(database) == []
    await _write(database, {**run, "revision": 2, "status": "FAILED"})
    await Rollups(database, retention).refresh()
    assert (await database.query("SELECT runs, running FROM run_metrics_1d")).rows == [[2, 2]]


async def test_rollups_are_kept_for_a_time_of_their_own(database: ClickHouse) -> None:
    for days in (1, 50):
        await _write(database, records.run(created_at=await _days_ago(database, days)))
    await Rollups(database).refresh()
    await apply_retention(database, Retention(metrics_days=45))
    await database.execute("OPTIMIZE TABLE run_rollups FINAL")
    assert (await database.query("SELECT count() FROM run_metrics_1m")).rows == [[1]]
    assert (await database.query("SELECT count() FROM workflow_runs")).rows == [[2]]


def test_settings_say_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Retention.of(SinkSettings()) == FOREVER
    monkeypatch.setenv("HOPLINE_RETENTION_DAYS", "90")
    monkeypatch.setenv("HOPLINE_RETENTION_TENANTS", '{"t1": 7, "t2": 0}')
    monkeypatch.setenv("HOPLINE_RETENTION_METRICS_DAYS", "400")
    assert Retention.of(SinkSettings()) == Retention(90, {"t1": 7, "t2": 0}, 400)
