"""Compares each figure of the rollups with the one that SQL of its own computes from the raw tables.

Percentiles are order statistics: of n values the one at rank ceil(level times n), here of the sorted values.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.analytics.calendar import Chunk
from transport.clickhouse import ClickHouse

_S = 1_000_000

PERIODS = {"1m": "toStartOfMinute", "1h": "toStartOfHour", "1d": "toStartOfDay"}

_DAY = "{at} >= {{since:DateTime('UTC')}} AND {at} < {{until:DateTime('UTC')}}"
_WORKED_US = "toInt64(round(elapsed_time * 1000000))"


@dataclass(frozen=True, slots=True)
class Subject:
    """One rollup, and its columns as aggregates over rows of `raw`.

    `durations`: whole microseconds of a row, null where it has none.
    """

    name: str
    raw: str
    at: str
    dimensions: tuple[str, ...]
    counts: Mapping[str, str]
    durations: Mapping[str, str]


def _status(*names: str) -> dict[str, str]:
    return {name: f"countIf(lower(status) = '{name}')" for name in names}


_ELAPSED = f"if(finished_at IS NULL OR elapsed_time IS NULL, NULL, {_WORKED_US})"
_AGAIN = (
    "SELECT workflow_run_id, count() AS again FROM workflow_node_executions "
    f"WHERE status = 'retry' AND {_DAY.format(at='event_at')} GROUP BY workflow_run_id"
)

SUBJECTS = (
    Subject(
        name="run_metrics",
        raw=f"workflow_runs LEFT JOIN ({_AGAIN}) AS attempts ON attempts.workflow_run_id = workflow_runs.id",
        at="event_at",
        dimensions=("tenant_id", "app_id", "workflow_id", "version", "triggered_from"),
        counts={
            "runs": "count()",
            **_status("running", "paused", "succeeded", "partial_succeeded", "failed", "stopped"),
            "retries": "sum(again)",
            "tokens": "sum(total_tokens)",
            "steps": "sum(total_steps)",
            "exceptions": "sum(exceptions_count)",
            "ended": "count(finished_at)",
        },
        durations={"elapsed": _ELAPSED, "queue_latency": "dateDiff('microsecond', event_at, created_at)"},
    ),
    Subject(
        name="node_metrics",
        raw="workflow_node_executions",
        at="event_at",
        dimensions=(
            "tenant_id",
            "app_id",
            "workflow_id",
            "node_id",
            "node_type",
            "triggered_from",
            "currency",
        ),
        counts={
            "executions": "count()",
            **_status("running", "paused", "succeeded", "failed", "exception", "stopped"),
            "retried": "countIf(status = 'retry')",
            "tokens": "sum(JSONExtractUInt(ifNull(execution_metadata, '{}'), 'total_tokens'))",
            "price": "sum(JSONExtract(ifNull(execution_metadata, '{}'), 'total_price', 'Decimal(18, 9)'))",
            "ended": "count(finished_at)",
        },
        durations={
            "elapsed": _ELAPSED,
            "queue_latency": f"dateDiff('microsecond', created_at, finished_at) - {_WORKED_US}",
        },
    ),
    Subject(
        name="trigger_metrics",
        raw="workflow_trigger_logs",
        at="created_at",
        dimensions=("tenant_id", "app_id", "workflow_id", "trigger_type", "queue_name"),
        counts={
            "triggers": "count()",
            **_status("pending", "running", "success", "failed", "stopped"),
            "duplicates": "countIf(error LIKE 'duplicate of the event%')",
            "retries": "sum(retry_count)",
            "tokens": "sum(total_tokens)",
            "started": "count(triggered_at)",
            "ended": "countIf(finished_at IS NOT NULL AND elapsed_time IS NOT NULL)",
        },
        durations={"elapsed": _ELAPSED, "queue_latency": "dateDiff('microsecond', created_at, triggered_at)"},
    ),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """`rows` of rollups, `different` of which (or that are missing) are not as the raw tables say."""

    rows: int
    different: int

    def __add__(self, other: "Compared") -> "Compared":
        return Compared(self.rows + other.rows, self.different + other.different)


async def compare(clickhouse: ClickHouse, chunk: Chunk) -> Compared:
    """All rollups of these days, of every period. Raises `StatementRefused`."""
    compared = Compared(0, 0)
    parameters = {"since": str(chunk.since_us // _S), "until": str(chunk.until_us // _S)}
    for subject in SUBJECTS:
        for period in PERIODS:
            (row,) = (await clickhouse.query(comparison(subject, period), parameters)).rows
            compared += Compared(*row)
    return compared


def comparison(subject: Subject, period: str) -> str:
    """Rows of the rollup, and how many of both sides have no equal on the other."""
    columns = ", ".join(_rollup(subject))
    told = (
        f"SELECT -1 AS side, {', '.join(f'{sql} AS {name}' for name, sql in _rollup(subject).items())} "
        f"FROM {subject.name}_{period} WHERE {_DAY.format(at='time')}"
    )
    true = (
        f"SELECT 1 AS side, {', '.join(f'{sql} AS {name}' for name, sql in _computed(subject).items())} "
        f"FROM ({_sorted(subject, period)})"
    )
    return (
        "SELECT countIf(told > 0), countIf(balance != 0) FROM ("
        f"SELECT {columns}, sum(side) AS balance, countIf(side < 0) AS told "
        f"FROM ({told} UNION ALL {true}) GROUP BY {columns})"
    )


def _sorted(subject: Subject, period: str) -> str:
    """The raw rows by bucket, durations as sorted arrays of what is left of them at three digits."""
    keys = ", ".join(("bucket", *subject.dimensions))
    durations = ", ".join(
        f"groupArray({sql} AS {name}_us) AS {name}_all, "
        f"arraySort(arrayMap(us -> {_three('us')}, {name}_all)) AS {name}_sorted"
        for name, sql in subject.durations.items()
    )
    counts = ", ".join(f"{sql} AS c_{name}" for name, sql in subject.counts.items())
    return (
        f"SELECT toUnixTimestamp({PERIODS[period]}({subject.at})) AS {keys}, {counts}, {durations} "
        f"FROM {subject.raw} WHERE {_DAY.format(at=subject.at)} GROUP BY {keys}"
    )


def _three(us: str) -> str:
    power = f"toInt64(exp10(greatest(0, length(toString({us})) - 3)))"
    return f"intDiv({us} + intDiv({power}, 2), {power}) * {power}"


_LEVELS = {50: "p50", 95: "p95", 99: "p99"}


def _computed(subject: Subject) -> dict[str, str]:
    found = {"bucket": "toInt64(bucket)", **{name: name for name in subject.dimensions}}
    found |= {f"c_{name}": f"toDecimal128(c_{name}, 9)" for name in subject.counts}
    for name in subject.durations:
        found[f"{name}_total"] = f"toInt64(arraySum({name}_all))"
        for level, suffix in _LEVELS.items():
            rank = f"intDiv(length({name}_sorted) * {level} + 99, 100)"
            found[f"{name}_{suffix}_us"] = f"if(empty({name}_sorted), -1, toInt64({name}_sorted[{rank}]))"
    return found


def _rollup(subject: Subject) -> dict[str, str]:
    found = {"bucket": "toInt64(toUnixTimestamp(time))", **{name: name for name in subject.dimensions}}
    found |= {f"c_{name}": f"toDecimal128({name}, 9)" for name in subject.counts}
    for name in subject.durations:
        found[f"{name}_total"] = f"toInt64(round({name}_sum * 1000000))"
        for suffix in _LEVELS.values():
            found[f"{name}_{suffix}_us"] = f"toInt64(round(ifNull({name}_{suffix}, -0.000001) * 1000000))"
    return found
