"""The statements that compute rollups. What is in which column is told in docs/history.md.

Three for a day that has been written to: minutes from the raw rows, hours from the minutes, the day from its
hours. Each writes whole buckets, so that doing it again, or at the same time elsewhere, is harmless.
"""
# ruff: noqa: S608 - the statements are made of the texts in this file

from collections.abc import Mapping
from dataclasses import dataclass, field

from sinks.retention import Retention

COMPUTATION = 1
"""To be raised whenever a figure is computed otherwise than before: all of them are then computed again."""

_LEVELS = "0.5, 0.95, 0.99"
_SETTINGS = (
    "SETTINGS max_threads = 1, max_insert_threads = 1, do_not_merge_across_partitions_select_final = 1, "
    # A row is filed under a minute that never changes, so an index leaves out no later state of it.
    # Otherwise all that lies between is read as well, which is the whole day.
    "use_skip_indexes_if_final = 1, use_skip_indexes_if_final_exact_mode = 0, "
    "max_bytes_before_external_group_by = 500000000, max_bytes_ratio_before_external_group_by = 0"
)


@dataclass(frozen=True)
class Time:
    """A duration whose sum and percentiles are kept."""

    us: str
    """Whole microseconds, as Int64 that is not negative."""
    known: str
    """Which rows have it."""


@dataclass(frozen=True)
class Rollup:
    """One raw table and the table of its figures. Texts are SQL over the columns of a raw row."""

    source: str
    tables: tuple[str, ...]
    """The raw table; then others that the figures depend on, whose rows have the same `at`."""
    at: str
    """The time under which a row is filed: the same in all states of an id."""
    target: str
    dimensions: tuple[str, ...]
    sums: Mapping[str, str]
    """Column of `target` -> what is summed."""
    times: Mapping[str, Time]
    columns: str = "*"
    """Of a raw row; those that are materialized have to be named."""
    joined: str = ""
    """Behind FROM; `{changed}` limits it to the rows of the buckets that are computed."""
    measures: Mapping[str, str] = field(init=False)
    """Column of `target` -> its aggregate over raw rows."""
    merged: Mapping[str, str] = field(init=False)
    """The same over rows of `target`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self._measures())
        object.__setattr__(self, "merged", self._merged())

    def minutes(self) -> str:
        """Computes the minutes of `day` that have changed. Groups that are no more become zero."""
        at, minute = self.at, f"toStartOfMinute({self.at})"
        changed = f"(tenant_id, toDate({at}), {minute}) IN ({self._changed('day, minute')})"
        rows = f"(SELECT {self.columns} FROM {self.tables[0]} FINAL WHERE {changed}) AS raw"
        if self.joined:
            rows += " " + self.joined.replace("{changed}", changed)
        keys = ", ".join(("time", "tenant_id", *self.dimensions))
        gone = ", ".join(self._nothing().values())
        return self._insert(
            f"SELECT {minute} AS time, tenant_id, {', '.join(self.dimensions)}, "
            f"{_named(self.measures)} FROM {self._prepared(rows)} GROUP BY {keys} UNION ALL "
            f"SELECT {keys}, {gone} FROM {self.target} WHERE period = '1m' AND (tenant_id, time) IN "
            f"({self._changed('minute')}) GROUP BY {keys}",
            "1m",
            "time",
        )

    def hours(self) -> str:
        """Computes the hours that these minutes are in."""
        return self._coarser("1m", "1h", "toStartOfHour")

    def days(self) -> str:
        """Computes `day`, of the tenants that have something new in it."""
        return self._coarser("1h", "1d", "toStartOfDay")

    def _coarser(self, finer: str, period: str, start: str) -> str:
        known = (
            f"SELECT * FROM {self.target} FINAL WHERE period = '{finer}' AND toDate(time) = {{day:Date}} "
            f"AND (tenant_id, {start}(time)) IN ({self._changed(f'{start}(minute)')})"
        )
        return self._insert(known, period, f"{start}(time)")

    def _insert(self, rows: str, period: str, time: str) -> str:
        keys = ("tenant_id", *self.dimensions)
        columns = ("period", "time", *keys, *self.merged, "as_of")
        return (
            f"INSERT INTO {self.target} ({', '.join(columns)}) {_SETTINGS} "
            f"SELECT '{period}', {time} AS bucket, {', '.join(keys)}, {', '.join(self.merged.values())}, "
            f"{{as_of:DateTime64(6, 'UTC')}} FROM ({rows}) GROUP BY bucket, {', '.join(keys)}"
        )

    def _prepared(self, rows: str) -> str:
        times = ", ".join(
            f"toUInt64({time.us}) AS {name}_now, {_last_digit(f'{name}_now')} AS {name}_digit, "
            f"toUInt8({time.known}) AS {name}_known"
            for name, time in self.times.items()
        )
        return f"(SELECT *, {times} FROM {rows})"

    def _changed(self, what: str) -> str:
        return (
            f"SELECT tenant_id, {what} FROM rollup_changes WHERE as_of = {{as_of:DateTime64(6, 'UTC')}} "
            f"AND source = '{self.source}' AND day = {{day:Date}}"
        )

    def _measures(self) -> Mapping[str, str]:
        found = {name: f"sum({expression})" for name, expression in self.sums.items()}
        for name in self.times:
            found[f"{name}_us"] = f"sumIf({name}_now, {name}_known)"
            found[f"{name}_state"] = _state(_rounded(f"{name}_now", f"{name}_digit"), f"{name}_known")
        return found

    def _merged(self) -> Mapping[str, str]:
        found = {name: f"sum({name})" for name in self.sums}
        for name in self.times:
            found[f"{name}_us"] = f"sum({name}_us)"
            found[f"{name}_state"] = f"quantilesExactWeightedMergeState({_LEVELS})({name}_state)"
        return found

    def _nothing(self) -> Mapping[str, str]:
        none = {name: f"any({name}) * 0" for name in self.merged if not name.endswith("_state")}
        states = {name: _state("toFloat64(0)", "0") for name in self.merged if name.endswith("_state")}
        return {name: {**none, **states}[name] for name in self.merged}


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())


def _state(value: str, condition: str) -> str:
    return f"quantilesExactWeightedStateIf({_LEVELS})({value}, toUInt64(1), {condition})"


def _last_digit(number: str) -> str:
    """The power of ten that the third significant digit of an integer counts."""
    return f"intExp10(toUInt8(greatest(0, floor(log10({number})) - 2)))"


def _rounded(us: str, digit: str) -> str:
    """Seconds, rounded half up to three significant digits: so a state has a few thousand values at most,
    however many rows it is of, and states together give the percentile of all their rows."""
    return f"intDiv({us} + intDiv({digit}, 2), {digit}) * {digit} / 1e6"


def _count(**conditions: str) -> dict[str, str]:
    return {name: f"toUInt64({condition})" for name, condition in conditions.items()}


def _statuses(*names: str, upper: bool = True) -> dict[str, str]:
    return _count(**{name: f"status = '{name.upper() if upper else name}'" for name in names})


def _between(earlier: str, later: str) -> str:
    times = (f"toUnixTimestamp64Micro(ifNull({at}, toDateTime64(0, 6, 'UTC')))" for at in (later, earlier))
    return f"greatest(toInt64(0), {' - '.join(times)})"


_ELAPSED = "toInt64(round(greatest(0, ifNull(elapsed_time, 0)) * 1e6))"
_ENDED = "finished_at IS NOT NULL"
_TOOK = f"{_ENDED} AND elapsed_time IS NOT NULL"
"""Of a trigger log: one that started nothing has ended, and no duration."""
_OWN = "node_type NOT IN ('iteration', 'loop', 'tool')"
"""Containers repeat what the executions in them have cost, and a tool that is a workflow what its run has:
these are rows of their own."""

RUNS = Rollup(
    source="runs",
    tables=("workflow_run_changes", "workflow_node_execution_changes"),
    at="event_at",
    target="run_rollups",
    dimensions=("app_id", "workflow_id", "version", "triggered_from"),
    sums={
        "runs": "toUInt64(1)",
        **_statuses("running", "paused", "succeeded", "partial_succeeded", "failed", "stopped"),
        "retries": "node_retries",
        "tokens": "total_tokens",
        "steps": "toUInt64(total_steps)",
        "exceptions": "toUInt64(exceptions_count)",
        **_count(ended=_ENDED),
    },
    times={"elapsed": Time(_ELAPSED, _ENDED), "queue_latency": Time(_between("event_at", "created_at"), "1")},
    joined=(
        "LEFT JOIN (SELECT assumeNotNull(workflow_run_id) AS run_id, count() AS node_retries "
        "FROM workflow_node_execution_changes FINAL "
        # Few runs have any, and FINAL is what costs: the condition on the key lets it see no others.
        "WHERE status = 'retry' AND (tenant_id, toDate(event_at), app_id, workflow_id, workflow_run_id) IN ("
        "SELECT tenant_id, toDate(event_at), app_id, workflow_id, workflow_run_id "
        "FROM workflow_node_execution_changes WHERE status = 'retry' AND {changed}) GROUP BY run_id"
        ") AS again "
        "ON raw.id = again.run_id"
    ),
)

NODES = Rollup(
    source="nodes",
    tables=("workflow_node_execution_changes",),
    at="event_at",
    target="node_rollups",
    columns="*, total_tokens, total_price, currency",
    dimensions=("app_id", "workflow_id", "node_id", "node_type", "triggered_from", "currency"),
    sums={
        "executions": "toUInt64(1)",
        **_statuses("running", "paused", "succeeded", "failed", "exception", "stopped", upper=False),
        **_count(retried="status = 'retry'"),
        "tokens": f"if({_OWN}, total_tokens, 0)",
        "price": f"if({_OWN}, total_price, toDecimal64(0, 9))",
        **_count(ended=_ENDED),
    },
    times={
        "elapsed": Time(_ELAPSED, _ENDED),
        "queue_latency": Time(
            f"greatest(toInt64(0), {_between('created_at', 'finished_at')} - {_ELAPSED})", _ENDED
        ),
    },
)

TRIGGERS = Rollup(
    source="triggers",
    tables=("workflow_trigger_log_changes",),
    at="created_at",
    target="trigger_rollups",
    dimensions=("app_id", "workflow_id", "trigger_type", "queue_name"),
    sums={
        "triggers": "toUInt64(1)",
        **_statuses("pending", "running", "success", "failed", "stopped"),
        **_count(
            duplicates="status = 'STOPPED' AND startsWith(ifNull(error, ''), 'duplicate of the event at ')"
        ),
        "retries": "toUInt64(retry_count)",
        "tokens": "total_tokens",
        **_count(started="triggered_at IS NOT NULL", ended=_TOOK),
    },
    times={
        "elapsed": Time(_ELAPSED, _TOOK),
        "queue_latency": Time(_between("created_at", "triggered_at"), "triggered_at IS NOT NULL"),
    },
)

ROLLUPS = (RUNS, NODES, TRIGGERS)


def changes(retention: Retention) -> str:
    """Notes the buckets in which something has been recorded since `since`.

    But not those that lose rows: what they were is what they stay.
    """
    noted = " UNION DISTINCT ".join(
        f"SELECT {{as_of:DateTime64(6, 'UTC')}} AS as_of, '{rollup.source}' AS source, "
        f"toDate({rollup.at}) AS day, tenant_id, toStartOfMinute({rollup.at}) AS minute FROM {table} "
        f"WHERE recorded_at >= {{since:DateTime64(6, 'UTC')}} AND {retention.kept(rollup.at)}"
        for rollup in ROLLUPS
        for table in rollup.tables
    )
    return f"INSERT INTO rollup_changes SETTINGS max_threads = 1, max_insert_threads = 1 {noted}"


CHANGED_DAYS = """
SELECT DISTINCT source, day FROM rollup_changes WHERE as_of = {as_of:DateTime64(6, 'UTC')} ORDER BY day DESC
"""
"""Their sources and days, the latest first."""
