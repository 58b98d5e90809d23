"""What the history knows of runs, as the records that a live stream is made of."""

from collections.abc import Collection, Iterable
from math import inf
from typing import Any

import orjson

from ingress.live.changes import NODES, NOWHERE, RUNS, SCHEMAS, Change
from ingress.live.wire import begun, shown_fields
from ingress.search import Span, matching
from schemas.codec import Record, load
from schemas.search import RunFilter
from transport.clickhouse import ClickHouse

_VIEWS = {RUNS: "workflow_runs", NODES: "workflow_node_executions"}
_US = "_us"
"""Ends the name of a time that is read in microseconds: under its own name it would hide the column."""


class Past:
    """Raises `TransportError` when ClickHouse does not answer. Large values are summaries, as in topics."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def changes(self, run_id: str, tenant_id: str) -> list[Change]:
        """All that there is of the run, in the order in which it happened. `run_id`: a UUID."""
        of_tenant = {"tenant_id": tenant_id, "run_id": run_id}
        where = "tenant_id = {tenant_id:String} AND id = {run_id:UUID}"
        runs = await self._read(RUNS, where, of_tenant)
        where = "tenant_id = {tenant_id:String} AND workflow_run_id = {run_id:UUID}"
        if runs:
            # What a run is filed under, and so are its nodes: the day is all that has to be looked through.
            where += " AND event_at = fromUnixTimestamp64Micro({event_at:Int64})"
            of_tenant["event_at"] = str(runs[0].record["event_at"])
        return in_order(runs, await self._read(NODES, where, of_tenant))

    async def is_awaited(self, run_id: str, tenant_id: str) -> bool:
        """Whether an event has been accepted that this run is to begin with, and is not over."""
        where = "tenant_id = {tenant_id:String} AND workflow_run_id = {run_id:UUID}"
        sql = f"SELECT count() FROM workflow_trigger_logs WHERE {where} AND finished_at IS NULL"  # noqa: S608
        found = await self._clickhouse.query(sql, {"tenant_id": tenant_id, "run_id": run_id})
        return bool(found.rows[0][0])

    async def fitting(self, chosen: RunFilter, tenant_id: str, run_ids: Collection[str]) -> dict[str, bool]:
        """Of the runs that the history has, whether they fit."""
        where = matching(chosen, tenant_id, Span())
        if where is None:
            return dict.fromkeys(run_ids, False)
        ids = ", ".join(where.value(run_id, "UUID") for run_id in run_ids)
        tenant = where.value(tenant_id)
        sql = (
            f"SELECT id, {where.sql} AS fits FROM workflow_runs "  # noqa: S608
            f"WHERE tenant_id = {tenant} AND id IN ({ids})"
        )
        return {row[0]: bool(row[1]) for row in (await self._clickhouse.query(sql, where.parameters)).rows}

    async def _read(self, topic: str, where: str, parameters: dict[str, str]) -> list[Change]:
        sql = f"SELECT {_columns(topic)} FROM {_VIEWS[topic]} WHERE {where}"  # noqa: S608
        rows = (await self._clickhouse.query(sql, parameters)).dicts()
        records = ({name.removesuffix(_US): value for name, value in row.items()} for row in rows)
        return [Change(topic, NOWHERE, NOWHERE, record) for record in records]


def in_order(runs: Iterable[Change], nodes: Iterable[Change]) -> list[Change]:
    """The run, then each node as it began and as it ended, by time. Pure.

    Nodes of one hop have nearly the same times, some that of the hop. They begin in the order of their
    indices, and one that ended in the hop in which it began did so before the next began.
    """
    timed: list[tuple[tuple[int, int, float, int], Change]] = []
    index = not_before = 0
    for change in sorted(nodes, key=lambda one: (one.record["index"], _order(one.record))):
        record = change.record
        began_at = record["created_at"]
        if record["index"] != index:
            index = record["index"]
            began_at = not_before = max(began_at, not_before)
        ended_at = max(record["finished_at"] or began_at, began_at)
        timed.append(((began_at, index, _order(record), 0), begun(change)))
        if record["status"] != "running":
            timed.append(((ended_at, index, _order(record), 1), change))
            if record["revision"] == 1 and record["status"] != "paused":
                not_before = ended_at
    timed.sort(key=lambda one: one[0])
    return [*runs, *(change for _, change in timed)]


def _order(record: Record) -> float:
    """Of the attempts at a node: a failure that is tried again comes before what comes of trying."""
    if record["status"] != "retry":
        return inf
    return float(orjson.loads(record["execution_metadata"] or b"{}").get("retry_index", 0))


def _columns(topic: str) -> str:
    types: dict[str, Any] = {field["name"]: field["type"] for field in load(SCHEMAS[topic])["fields"]}
    return ", ".join(
        f"toUnixTimestamp64Micro({name}) AS {name}{_US}"
        if "timestamp-micros" in str(types[name])
        else f"`{name}`"
        for name in shown_fields(topic)
    )
