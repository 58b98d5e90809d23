"""What has happened, read from ClickHouse for the API: runs, node executions, trigger logs, dead letters.

JSON in text columns comes back as values; times are ISO 8601 in UTC; what is absent is None.
"""

import base64
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from ingress.assembly import Assembler
from ingress.errors import Malformed
from schemas.models import WorkflowNodeExecution, WorkflowRun
from transport.clickhouse import ClickHouse, Rows

Row = dict[str, Any]

MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs; None is any. `since` is inclusive, `until` is not; both are of `event_at`, the time of the
    event that started the run, which is also what runs are ordered by: it never changes."""

    tenant_id: str | None = None
    workflow_id: str | None = None
    app_id: str | None = None
    status: str | None = None
    error: str | None = None
    """What its error has in it, in letters of either case."""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which trigger logs, likewise, by `created_at`."""

    tenant_id: str | None = None
    workflow_id: str | None = None
    app_id: str | None = None
    status: str | None = None
    trigger_type: str | None = None
    event_id: str | None = None
    app_trigger_id: str | None = None
    trigger_id: str | None = None
    workflow_run_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which dead letters, likewise, by `created_at`."""

    tenant_id: str | None = None
    topic: str | None = None
    stage: str | None = None
    status: str | None = None
    reason: str | None = None
    """What its reason has in it, in letters of either case."""
    since: datetime | None = None
    until: datetime | None = None


Filter = RunFilter | LogFilter | LetterFilter


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
    ) -> None:
        self._clickhouse = clickhouse
        self._assembler = assembler
        self._now = now

    async def runs(self, chosen: RunFilter, limit: int, cursor: str | None = None) -> Page:
        """A page of at most `limit` runs, without their graphs. Raises `Malformed` for a foreign cursor."""
        return await self._page(_RUNS, chosen, limit, cursor)

    async def run(self, run_id: str, tenant_id: str | None = None) -> WorkflowRun | None:
        """One run, with its graph; None when there is none, or it is another tenant's."""
        rows = await self._whole(await self._named("workflow_runs", "*", run_id, tenant_id))
        return next((WorkflowRun(**_absent(row)) for row in rows), None)

    async def node_executions(
        self, run_id: str, tenant_id: str | None = None, node_types: Sequence[str] = ()
    ) -> list[WorkflowNodeExecution]:
        """Those of one run, or of its nodes of these types, in the order of execution."""
        if not _is_uuid(run_id):
            return []
        where, parameters = _equal(workflow_run_id=run_id, tenant_id=tenant_id)
        if node_types:
            named = {f"type_{i}": node_type for i, node_type in enumerate(node_types)}
            where += f" AND node_type IN ({', '.join(f'{{{name}:String}}' for name in named)})"
            parameters |= named
        sql = f"SELECT * FROM workflow_node_executions WHERE {where} ORDER BY index, created_at, id"  # noqa: S608
        rows = await self._whole(await self._clickhouse.query(sql, parameters))
        return [WorkflowNodeExecution(**_absent(row)) for row in rows]

    async def node_execution(
        self, execution_id: str, tenant_id: str | None = None
    ) -> WorkflowNodeExecution | None:
        """One of them; None as in `run`."""
        rows = await self._whole(await self._named("workflow_node_executions", "*", execution_id, tenant_id))
        return next((WorkflowNodeExecution(**_absent(row)) for row in rows), None)

    async def trigger_logs(self, chosen: LogFilter, limit: int, cursor: str | None = None) -> Page:
        """A page of at most `limit` trigger logs. Raises `Malformed` for a foreign cursor."""
        return await self._page(_LOGS, chosen, limit, cursor)

    async def trigger_log(self, log_id: str, tenant_id: str | None = None) -> Row | None:
        """One trigger log; None as in `run`."""
        return await self._one("workflow_trigger_logs", "*", log_id, tenant_id)

    async def last_triggered_at(self, trigger_id: str, tenant_id: str) -> datetime | None:
        """When the last event came with which the trigger started a run."""
        where, parameters = _equal(app_trigger_id=trigger_id, tenant_id=tenant_id)
        # Merges keep the time: all changes of a log have the same, and no view needs to put them together.
        sql = (
            f"SELECT maxOrNull(created_at) AS at FROM workflow_trigger_log_changes WHERE {where} "  # noqa: S608
            "AND workflow_run_id IS NOT NULL"
        )
        found: str | None = (await self._clickhouse.query(sql, parameters)).rows[0][0]
        return None if found is None else datetime.fromisoformat(found)

    async def dead_letters(self, chosen: LetterFilter, limit: int, cursor: str | None = None) -> Page:
        """A page of at most `limit` letters, without what they hold. Raises `Malformed` likewise."""
        return await self._page(_LETTERS, chosen, limit, cursor)

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
        if not _is_uuid(wanted):
            return Rows((), (), [])
        where, parameters = _equal(id=wanted, tenant_id=tenant_id)
        return await self._clickhouse.query(f"SELECT {columns} FROM {view} WHERE {where}", parameters)  # noqa: S608

    async def _page(self, shown: "_List", chosen: Filter, limit: int, cursor: str | None) -> Page:
        limit = max(1, min(limit, MAX_LIMIT))
        equal = {f.name: getattr(chosen, f.name) for f in fields(chosen) if f.name not in _NOT_EQUAL}
        if any(equal.get(name) and not _is_uuid(equal[name]) for name in _UUIDS):
            return Page([], None)
        where, parameters = _equal(**equal)
        if isinstance(chosen, RunFilter) and chosen.error:
            parameters["error"] = chosen.error
            where += " AND positionCaseInsensitiveUTF8(error, {error:String}) > 0"
        if isinstance(chosen, LetterFilter) and chosen.reason:
            parameters["reason"] = chosen.reason
            where += " AND positionCaseInsensitiveUTF8(reason, {reason:String}) > 0"
        until = chosen.until
        if cursor is not None:
            until, parameters["after"] = _read_cursor(cursor)
            where += f" AND ({shown.time}, id) < ({{until:DateTime64(6)}}, {{after:UUID}})"
        if until is not None:
            parameters["until"] = _time(until)
            where += f" AND {shown.time} {'<=' if cursor else '<'} {{until:DateTime64(6)}}"
        rows: list[Row] = []
        for since in _windows(until or self._now(), chosen.since):
            condition = where
            if since is not None:
                condition += f" AND {shown.time} >= {{since:DateTime64(6)}}"
                parameters["since"] = _time(since)
            found = await self._clickhouse.query(shown.sql(condition, limit + 1), parameters)
            rows = _decoded(found.dicts())
            if len(rows) > limit:
                break
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, _cursor(rows[-1], shown.time) if more else None)


@dataclass(frozen=True, slots=True)
class _List:
    view: str
    columns: str
    time: str

    def sql(self, where: str, limit: int) -> str:
        """The newest rows. Their ids are looked for first, so that wide columns are read of them only."""
        newest = f"ORDER BY {self.time} DESC, id DESC"
        ids = f"SELECT {self.time}, id FROM {self.view} WHERE {where} {newest} LIMIT {limit}"  # noqa: S608
        return f"SELECT {self.columns} FROM {self.view} WHERE ({self.time}, id) IN ({ids}) {newest}"  # noqa: S608


_RUNS = _List("workflow_runs", "* EXCEPT graph", "event_at")
_LOGS = _List("workflow_trigger_logs", "*", "created_at")
_LETTERS = _List("dead_letters", "* EXCEPT (key, value, headers, stack)", "created_at")
_UUIDS = frozenset({"id", "event_id", "workflow_run_id"})
_NOT_EQUAL = ("since", "until", "error", "reason")
_EMPTY_IS_ABSENT = ("tenant_id", "app_id", "workflow_id")
_JSON = ("inputs", "outputs", "trigger_metadata", "trigger_data")
_LETTER = (
    "* EXCEPT (key, value, headers), base64Encode(key) AS key, base64Encode(value) AS value, "
    "arrayMap(h -> (h.name, base64Encode(h.value)), headers) AS headers"
)


def _equal(**wanted: str | None) -> tuple[str, dict[str, str]]:
    """A condition and its parameters; None is no condition."""
    given = {name: value for name, value in wanted.items() if value is not None}
    terms = [f"{name} = {{{name}:{'UUID' if name in _UUIDS else 'String'}}}" for name in given]
    return " AND ".join(terms) or "1", given


def _windows(newest: datetime, since: datetime | None) -> Iterator[datetime | None]:
    """Where to look for the newest rows: most lists are full within the last hour, which is quickly read."""
    for hours in (1, 24, 30 * 24):
        start = newest - timedelta(hours=hours)
        if since is not None and start <= since:
            break
        yield start
    yield since


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


def _cursor(row: Row, time: str) -> str:
    return base64.urlsafe_b64encode(f"{row[time]} {row['id']}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        at, after = base64.urlsafe_b64decode(cursor).decode().split(" ")
        return datetime.fromisoformat(at), str(uuid.UUID(after))
    except ValueError as foreign:
        raise Malformed("the cursor is not one that this API has given") from foreign


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _bytes(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)
