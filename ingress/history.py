"""What has happened, read from ClickHouse for the API: runs, node executions, trigger logs, dead letters.

JSON in text columns comes back as values; times are ISO 8601 in UTC; what is absent is None.
"""

import base64
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson

from ingress.assembly import Assembler
from ingress.cursors import new_cursor, read_cursor
from ingress.errors import Malformed
from ingress.search import Span, Where, clock, is_uuid, matching, spans
from schemas.models import WorkflowNodeExecution, WorkflowRun
from schemas.search import LogFilter, RunFilter, moment
from transport.clickhouse import ClickHouse, Rows
from transport.errors import StatementRefused

Row = dict[str, Any]

MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which dead letters; None is any. `since` is inclusive, `until` is not; both are of `created_at`."""

    tenant_id: str | None = None
    topic: str | None = None
    stage: str | None = None
    status: str | None = None
    reason: str | None = None
    """What its reason has in it, in letters of either case."""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """What one page may take."""

    seconds: float = 20.0
    memory_bytes: int = 1024**3

    def settings(self, seconds: float) -> str:
        """SQL, to end a query with that may take so long."""
        return f" SETTINGS max_execution_time = {seconds:.1f}, max_memory_usage = {self.memory_bytes}"


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. What arrives later does not shift the pages behind it."""

    rows: list[Row]
    next_cursor: str | None
    """Asks for the rows after these; None when there are no more."""


class History:
    """The read side of the run history.

    Every method raises `TransportError` when ClickHouse does not answer. An id that is none finds nothing.
    """

    def __init__(
        self,
        clickhouse: ClickHouse,
        assembler: Assembler,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        limits: SearchLimits | None = None,
    ) -> None:
        self._clickhouse = clickhouse
        self._assembler = assembler
        self._now = now
        self._limits = limits or SearchLimits()

    async def runs(
        self, chosen: RunFilter, limit: int, cursor: str | None = None, *, tenant_id: str | None
    ) -> Page:
        """A page of at most `limit` runs, without their graphs, by the time of their events, which never
        changes. Raises `Malformed` for a foreign cursor, and for a search that takes too much."""
        fitting = partial(matching, chosen, tenant_id)
        return await self._page(RUNS, Span(chosen.since, chosen.until), fitting, limit, cursor)

    async def run(self, run_id: str, tenant_id: str | None = None) -> WorkflowRun | None:
        """One run, with its graph; None when there is none, or it is another tenant's."""
        rows = await self._whole(await self._named("workflow_runs", "*", run_id, tenant_id))
        return next((WorkflowRun(**_absent(row)) for row in rows), None)

    async def node_executions(
        self, run_id: str, tenant_id: str | None = None, node_types: Sequence[str] = ()
    ) -> list[WorkflowNodeExecution]:
        """Those of one run, or of its nodes of these types, in the order of execution."""
        if not is_uuid(run_id):
            return []
        found = _equal(workflow_run_id=run_id, tenant_id=tenant_id)
        found.among("node_type", node_types)
        sql = f"SELECT * FROM workflow_node_executions WHERE {found.sql} ORDER BY index, created_at, id"  # noqa: S608
        rows = await self._whole(await self._clickhouse.query(sql, found.parameters))
        return [WorkflowNodeExecution(**_absent(row)) for row in rows]

    async def node_execution(self, execution_id: str, tenant_id: str | None) -> WorkflowNodeExecution | None:
        """One of them; None as in `run`."""
        rows = await self._whole(await self._named("workflow_node_executions", "*", execution_id, tenant_id))
        return next((WorkflowNodeExecution(**_absent(row)) for row in rows), None)

    async def trigger_logs(
        self, chosen: LogFilter, limit: int, cursor: str | None = None, *, tenant_id: str | None
    ) -> Page:
        """A page of at most `limit` trigger logs, likewise by `created_at`. Raises likewise."""
        fitting = partial(matching, chosen, tenant_id)
        return await self._page(LOGS, Span(chosen.since, chosen.until), fitting, limit, cursor)

    async def trigger_log(self, log_id: str, tenant_id: str | None = None) -> Row | None:
        """One trigger log; None as in `run`."""
        return await self._one("workflow_trigger_logs", "*", log_id, tenant_id)

    async def last_triggered_at(self, trigger_id: str, tenant_id: str) -> datetime | None:
        """When the last event came with which the trigger started a run."""
        trigger = _equal(app_trigger_id=trigger_id, tenant_id=tenant_id)
        # Merges keep the time: all changes of a log have the same, and no view needs to put them together.
        sql = (
            f"SELECT maxOrNull(created_at) AS at FROM workflow_trigger_log_changes WHERE {trigger.sql} "  # noqa: S608
            "AND workflow_run_id IS NOT NULL"
        )
        found: str | None = (await self._clickhouse.query(sql, trigger.parameters)).rows[0][0]
        return None if found is None else datetime.fromisoformat(found)

    async def dead_letters(self, chosen: LetterFilter, limit: int, cursor: str | None = None) -> Page:
        """A page of at most `limit` letters, without what they hold. Raises `Malformed` likewise."""

        def fitting(span: Span) -> Where:
            found = Where()
            found.lies(chosen.tenant_id, "created_at", span)
            for name in ("topic", "stage", "status"):
                found.equal(name, getattr(chosen, name))
            found.contains("reason", chosen.reason)
            return found

        return await self._page(_LETTERS, Span(chosen.since, chosen.until), fitting, limit, cursor)

    async def dead_letter(self, letter_id: str, tenant_id: str | None = None) -> Row | None:
        """One letter; `key` and `value` are bytes or None, `headers` pairs of a name and bytes."""
        row = await self._one("dead_letters", _LETTER, letter_id, tenant_id)
        if row is not None:
            row["key"], row["value"] = _bytes(row["key"]), _bytes(row["value"])
            row["headers"] = [(name, _bytes(value)) for name, value in row["headers"]]
        return row

    async def _one(self, view: str, columns: str, wanted: str, tenant_id: str | None) -> Row | None:
        rows = await self._whole(await self._named(view, columns, wanted, tenant_id))
        return next(iter(_decoded(rows)), None)

    async def _whole(self, rows: Rows) -> list[Row]:
        """What was too large for the history is fetched; lists of the history show summaries."""
        found = rows.dicts()
        await self._assembler.assemble(found)
        return found

    async def _named(self, view: str, columns: str, wanted: str, tenant_id: str | None) -> Rows:
        if not is_uuid(wanted):
            return Rows((), (), [])
        found = _equal(id=wanted, tenant_id=tenant_id)
        sql = f"SELECT {columns} FROM {view} WHERE {found.sql}"  # noqa: S608
        return await self._clickhouse.query(sql, found.parameters)

    async def _page(
        self,
        shown: "List",
        within: Span,
        fitting: Callable[[Span], Where | None],
        limit: int,
        cursor: str | None,
    ) -> Page:
        limit = max(1, min(limit, MAX_LIMIT))
        after: tuple[datetime, str] | None = None
        if cursor is not None:
            after = read_cursor(cursor, _place)
            within = Span(within.start, after[0] + timedelta(microseconds=1))
        rows: list[Row] = []
        deadline = time.monotonic() + self._limits.seconds
        for span in spans(within, self._now()):
            found = fitting(span)
            if found is None:
                break
            if after is not None:
                at, last = found.value(clock(after[0]), "DateTime64(6)"), found.value(after[1], "UUID")
                found.terms.insert(0, f"({shown.time}, id) < ({at}, {last})")
            sql = shown.sql(found, limit + 1 - len(rows))
            rows += _decoded((await self._limited(sql, found.parameters, deadline)).dicts())
            if len(rows) > limit:
                break
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, new_cursor(f"{rows[-1][shown.time]} {rows[-1]['id']}") if more else None)

    async def _limited(self, sql: str, parameters: Mapping[str, str], deadline: float) -> Rows:
        left_s = max(0.1, deadline - time.monotonic())
        try:
            return await self._clickhouse.query(sql + self._limits.settings(left_s), parameters)
        except StatementRefused as refused:
            if refused.code in TOO_MUCH:
                raise Malformed(
                    "this search has to read too much: narrow it down, by since and until or workflow_id"
                ) from refused
            raise


@dataclass(frozen=True, slots=True)
class List:
    """What is listed, and by which time."""

    view: str
    columns: str
    time: str

    def sql(self, found: Where, limit: int) -> str:
        """The newest rows. Their ids are looked for first, so that wide columns are read of them only."""
        newest = f"ORDER BY {self.time} DESC, id DESC"
        ids = f"SELECT {self.time}, id FROM {self.view} WHERE {found.sql} {newest} LIMIT {limit}"  # noqa: S608
        place = " AND ".join((*found.place, f"({self.time}, id) IN ({ids})"))
        return f"SELECT {self.columns} FROM {self.view} WHERE {place} {newest}"  # noqa: S608


RUNS = List("workflow_runs", "* EXCEPT graph", "event_at")
LOGS = List("workflow_trigger_logs", "*", "created_at")
_LETTERS = List("dead_letters", "* EXCEPT (key, value, headers, stack)", "created_at")
TOO_MUCH = frozenset({158, 159, 160, 241, 307, 396})
"""ClickHouse's codes for a query that is over its limits: of rows, time, memory or bytes."""
_EMPTY_IS_ABSENT = ("tenant_id", "app_id", "workflow_id")
_JSON = ("inputs", "outputs", "trigger_metadata", "trigger_data")
_LETTER = (
    "* EXCEPT (key, value, headers), base64Encode(key) AS key, base64Encode(value) AS value, "
    "arrayMap(h -> (h.name, base64Encode(h.value)), headers) AS headers"
)


def _equal(**wanted: str | None) -> Where:
    """None is no condition."""
    found = Where()
    for name, value in wanted.items():
        found.equal(name, value)
    return found


def _decoded(decoded: list[Row]) -> list[Row]:
    for row in decoded:
        for name in _JSON:
            if row.get(name):
                row[name] = orjson.loads(row[name])
        _absent(row)
    return decoded


def _absent(row: Row) -> Row:
    for name in _EMPTY_IS_ABSENT:
        if row.get(name) == "":
            row[name] = None
    return row


def _place(text: str) -> tuple[datetime, str]:
    at, after = text.split(" ")
    return moment(at), str(uuid.UUID(after))


def _bytes(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)
