"""Deletes a tenant's rows from every table that has any, those of later releases included."""

import asyncio
from collections.abc import Awaitable, Callable, Set

from transport.clickhouse import ClickHouse
from transport.errors import ClickHouseUnavailable

_WAIT_S = 0.5
_TABLES = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name IN (
    SELECT table FROM system.columns WHERE database = currentDatabase() AND name = 'tenant_id'
)
ORDER BY name
"""
_PENDING = """
SELECT count(), max(latest_fail_reason) FROM system.mutations
WHERE database = currentDatabase() AND table = {table:String} AND NOT is_done
"""
_INSERTS = """
SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND elapsed >= {seconds:Float64}
"""
_UNUSED = """
SELECT graph_hash FROM workflow_graphs
WHERE graph_hash NOT IN (SELECT graph_hash FROM workflow_run_changes)
"""


async def delete_rows(
    clickhouse: ClickHouse, tenant_id: str, alive: Callable[[], Awaitable[None]]
) -> dict[str, int]:
    """Returns once they are gone, replaced versions included: table -> how many there were. ClickHouse
    rewrites the parts that they are in, which takes as long as it takes; `alive` is called meanwhile.

    Raises `TransportError`; what was deleted until then is gone, and doing it again goes on.
    """
    deleted = {}
    for (table,) in (await clickhouse.query(_TABLES)).rows:
        if before := await _rows(clickhouse, table, tenant_id):
            await _delete(clickhouse, table, tenant_id, alive)
            deleted[table] = before
    return deleted


async def _delete(
    clickhouse: ClickHouse, table: str, tenant_id: str, alive: Callable[[], Awaitable[None]]
) -> None:
    while await _rows(clickhouse, table, tenant_id):
        # One that is under way may be this one, begun before a crash.
        if not await _pending(clickhouse, table):
            sql = f"ALTER TABLE {table} DELETE WHERE tenant_id = {{tenant_id:String}}"
            await clickhouse.execute(sql, {"tenant_id": tenant_id})
        while await _pending(clickhouse, table):
            await alive()
            await asyncio.sleep(_WAIT_S)


async def _rows(clickhouse: ClickHouse, table: str, tenant_id: str) -> int:
    sql = f"SELECT count() FROM {table} WHERE tenant_id = {{tenant_id:String}}"  # noqa: S608
    found: int = (await clickhouse.query(sql, {"tenant_id": tenant_id})).rows[0][0]
    return found


async def _pending(clickhouse: ClickHouse, table: str) -> int:
    """Deletions that are under way. Raises `ClickHouseUnavailable` where one does not get on."""
    ((pending, reason),) = (await clickhouse.query(_PENDING, {"table": table})).rows
    if pending and reason:
        raise ClickHouseUnavailable(f"{table} cannot be rewritten: {reason}")
    return int(pending)


async def are_inserted(clickhouse: ClickHouse, seconds: float) -> bool:
    """Whether an insert has been under way for so long, of whatever: nobody knows whose rows it has, and none
    can be read before all can. A large batch or a computation of rollups takes its time."""
    return (await clickhouse.query(_INSERTS, {"seconds": str(seconds)})).rows != [[0]]


async def delete_graphs(clickhouse: ClickHouse, known: Callable[[], Awaitable[Set[str]]]) -> int:
    """Deletes the graphs that neither a run nor a workflow has any more, and says how many. `known`: the
    hashes of all workflows. It is asked after the table: a workflow made meanwhile keeps its graph."""
    found = {graph_hash for (graph_hash,) in (await clickhouse.query(_UNUSED)).rows}
    unused = sorted(found - await known()) if found else []
    if unused:
        hashes = "[" + ",".join(f"'{one}'" for one in unused) + "]"
        sql = "ALTER TABLE workflow_graphs DELETE WHERE has({hashes:Array(String)}, graph_hash)"
        await clickhouse.execute(sql, {"hashes": hashes})
    return len(unused)
