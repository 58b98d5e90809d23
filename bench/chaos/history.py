"""What the run history says of the events of the suite, read through the API."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from bench.audit import slices
from bench.chaos.kinds import CALLING

_AT_ONCE = 4_000
"""Events in one query: their node executions come along."""
_TIMES_AT_ONCE = 2_000

TABLES = {
    "trigger_events": "event_id",
    "workflow_trigger_logs": "id",
    "workflow_runs": "id",
    "workflow_node_executions": "id",
    "dead_letters": "id",
}
"""Each with the column that there must be one row of."""


class History(Protocol):
    """What answers queries: a `bench.deployment.Deployment`."""

    async def select(self, sql: str) -> list[Mapping[str, Any]]:
        """Rows, by column name. Raises `CommandFailed`."""


class Execution(NamedTuple):
    """One attempt at a node."""

    node_id: str
    status: str
    round: int
    """Of an iteration; 0 outside of one."""
    attempt: int
    """`retry_index` of one that was tried again; 0: the last one."""
    id: str
    """Of a node that calls out, else ""."""
    has_ended: bool
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its node executions and its log."""

    id: str
    event_id: str
    status: str
    has_ended: bool
    executions: tuple[Execution, ...]
    log_status: str
    """"" where there is no log of that id."""
    log_run_id: str
    """Which run the log names."""
    log_id: str = ""
    named_by: int = 1
    """How many logs name it."""
    resumed_from: str = ""
    """The failed run that this one goes on with."""


class Tick(NamedTuple):
    """What came of one time of a schedule."""

    trigger_id: str
    at_s: int
    runs: int
    succeeded: int


async def runs_by_event(history: History, ids: set[str], prefix: str) -> dict[str, list[Run]]:
    """Those of all events whose ids begin with `prefix`, also such as are not in `ids`.

    Raises `CommandFailed`.
    """
    found: dict[str, list[Run]] = {}
    for first, last, _ in slices(ids, _AT_ONCE):
        sql = _RUNS.format(first=first or prefix, last=last, calling=", ".join(map(repr, sorted(CALLING))))
        for row in await history.select(sql):
            run = _run(row)
            found.setdefault(run.event_id, []).append(run)
    return found


async def events_there(history: History, ids: set[str], prefix: str) -> set[str]:
    """Ids of the events that have a row in `trigger_events`. Raises `CommandFailed`."""
    found: set[str] = set()
    for first, last, _ in slices(ids, _AT_ONCE):
        rows = await history.select(_EVENTS.format(prefix=prefix, first=first, last=last))
        found |= {row["id"] for row in rows}
    return found


async def doubled_rows(history: History) -> Iterator[tuple[str, int]]:
    """Table -> rows beyond the first of their id. Raises `CommandFailed`."""
    counted = []
    for table, column in TABLES.items():
        sql = f"SELECT count() - uniqExact({column}) AS doubled FROM {table}"
        counted.append((table, int((await history.select(sql))[0]["doubled"])))
    return iter(counted)


async def ticks(history: History, trigger_id: str, times: range) -> list[Tick]:
    """Of one schedule, from the first to the last of these times. Raises `CommandFailed`."""
    found: list[Tick] = []
    for number in range(0, len(times), _TIMES_AT_ONCE):
        some = times[number : number + _TIMES_AT_ONCE]
        sql = _TICKS.format(trigger_id=trigger_id, since=some[0], until=some[-1])
        rows = await history.select(sql)
        found += [Tick(trigger_id, int(row["at_s"]), int(row["runs"]), int(row["succeeded"])) for row in rows]
    return found


def _run(row: Mapping[str, Any]) -> Run:
    return Run(
        id=row["id"],
        event_id=row["event_id"],
        status=row["status"],
        has_ended=bool(row["has_ended"]),
        executions=tuple(
            Execution(node, status, int(index), int(attempt), key, bool(ended), float(elapsed_s))
            for node, status, index, attempt, key, ended, elapsed_s in row["executions"]
        ),
        log_status=row["log_status"] or "",
        log_run_id=row["log_run_id"] or "",
        log_id=row["log_id"] or "",
        named_by=int(row["named_by"]),
        resumed_from=row["resumed_from"],
    )


_RUNS = """
WITH chosen AS (
    SELECT id, trigger_log_id AS log_id, status,
           finished_at IS NOT NULL AS has_ended, JSONExtractString(inputs, 'event_id') AS event_id
    FROM workflow_runs WHERE event_id > '{first}' AND event_id <= '{last}'
), nodes AS (
    SELECT workflow_run_id AS run_id, groupArray((
        node_id, status, JSONExtractInt(ifNull(execution_metadata, ''), 'iteration_index'),
        JSONExtractInt(ifNull(execution_metadata, ''), 'retry_index'),
        if(node_id IN ({calling}), toString(id), ''),
        finished_at IS NOT NULL, elapsed_time)) AS executions
    FROM workflow_node_executions WHERE workflow_run_id IN (SELECT id FROM chosen) GROUP BY run_id
), logs AS (
    SELECT id, status, workflow_run_id AS run_id,
           JSONExtractString(ifNull(trigger_metadata, ''), 'resumed_from') AS resumed_from
    FROM workflow_trigger_logs
    WHERE id IN (SELECT log_id FROM chosen)
), named AS (
    SELECT workflow_run_id AS run_id, count() AS named_by FROM workflow_trigger_logs
    WHERE workflow_run_id IN (SELECT id FROM chosen) GROUP BY run_id
)
SELECT toString(chosen.id) AS id, event_id, chosen.status AS status, has_ended, executions,
       logs.status AS log_status, toString(logs.run_id) AS log_run_id,
       toString(chosen.log_id) AS log_id, resumed_from, named_by
FROM chosen LEFT JOIN nodes ON nodes.run_id = chosen.id LEFT JOIN logs ON logs.id = chosen.log_id
    LEFT JOIN named ON named.run_id = chosen.id
"""

_EVENTS = """
SELECT DISTINCT extract(data, '{prefix}[0-9]+') AS id FROM trigger_events
WHERE id != '' AND id > '{first}' AND id <= '{last}'
"""

_TICKS = """
SELECT intDiv(toUnixTimestamp64Milli(l.created_at), 1000) AS at_s, uniqExactIf(r.id, r.status != '') AS runs,
       countIf(r.status = 'SUCCEEDED') AS succeeded
FROM workflow_trigger_logs AS l LEFT JOIN workflow_runs AS r ON r.trigger_log_id = l.id
WHERE l.app_trigger_id = '{trigger_id}'
  AND l.created_at >= fromUnixTimestamp({since}) AND l.created_at <= fromUnixTimestamp({until})
GROUP BY at_s ORDER BY at_s
"""
