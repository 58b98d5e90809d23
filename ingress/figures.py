"""What has happened in a while, in figures: read from the rollups, so that a year takes as long as a day."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from transport.clickhouse import ClickHouse

Period = Literal["1m", "1h", "1d"]
Row = dict[str, Any]

_PERIODS: Mapping[Period, tuple[timedelta, timedelta]] = {
    "1m": (timedelta(minutes=1), timedelta(days=2)),
    "1h": (timedelta(hours=1), timedelta(days=62)),
    "1d": (timedelta(days=1), timedelta.max),
}
"""How long each is, and of how long a while at most it is read."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MINE = "tenant_id = {tenant:String} AND time >= {since:DateTime('UTC')} AND time < {until:DateTime('UTC')}"

_RUNS = """
SELECT sum(runs) AS total, sum(running) AS running, sum(paused) AS paused, sum(succeeded) AS succeeded,
    sum(partial_succeeded) AS partial_succeeded, sum(failed) AS failed, sum(stopped) AS stopped,
    sum(retries) AS retries, sum(tokens) AS tokens,
    quantilesExactWeightedMerge(0.5, 0.95, 0.99)(elapsed_state) AS elapsed_s,
    quantilesExactWeightedMerge(0.5, 0.95, 0.99)(queue_latency_state) AS queue_latency_s
FROM run_metrics_{period} WHERE {mine}
"""
_TRIGGERS = """
SELECT trigger_type, sum(triggers) AS total, sum(pending) AS pending, sum(running) AS running,
    sum(success) AS success, sum(failed) AS failed, sum(stopped) AS stopped, sum(duplicates) AS duplicates,
    sum(retries) AS retries
FROM trigger_metrics_{period} WHERE {mine} GROUP BY trigger_type ORDER BY trigger_type
"""
_NODES = """
SELECT currency, sum(executions) AS total, sum(failed) AS failed, sum(exception) AS exceptions,
    sum(retried) AS retried, sum(tokens) AS tokens, toFloat64(sum(price)) AS price
FROM node_metrics_{period} WHERE {mine} GROUP BY currency ORDER BY currency
"""
_LETTERS = """
SELECT sum(letters) AS total, sum(pending) AS pending, sum(replayed) AS replayed
FROM dead_letter_metrics_{period} WHERE {mine}
"""


@dataclass(frozen=True, slots=True)
class While:
    """From `since` on, up to and without `until`, both at the border of a bucket of the period."""

    since: datetime
    until: datetime
    period: Period

    @classmethod
    def around(cls, since: datetime, until: datetime) -> "While":
        """The buckets that hold these times: minutes for two days, hours for two months, else days."""
        period, (length, _) = next(
            (period, lengths) for period, lengths in _PERIODS.items() if until - since <= lengths[1]
        )
        first, rest = divmod(until - _EPOCH, length)
        return cls(
            _EPOCH + (since - _EPOCH) // length * length,
            _EPOCH + (first + bool(rest)) * length,
            period,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """Rows as they are read: one of runs and of dead letters, one for each type of trigger and currency."""

    runs: Row
    triggers: list[Row]
    nodes: list[Row]
    dead_letters: Row


class Rollups:
    """The read side of the rollups, see `sinks/migrations`."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def figures(self, tenant_id: str, of: While) -> Figures:
        """What the tenant's events of that while have led to by now. Raises `TransportError`."""
        runs, triggers, nodes, letters = await asyncio.gather(
            *(self._rows(sql, tenant_id, of) for sql in (_RUNS, _TRIGGERS, _NODES, _LETTERS))
        )
        return Figures(runs[0], triggers, nodes, letters[0])

    async def _rows(self, sql: str, tenant_id: str, of: While) -> list[Row]:
        parameters = {"tenant": tenant_id, "since": _text(of.since), "until": _text(of.until)}
        statement = sql.replace("{period}", of.period).replace("{mine}", _MINE)
        return (await self._clickhouse.query(statement, parameters)).dicts()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
