"""Keeps the rollups equal to the raw tables.

What has been recorded since the last time names the buckets that are computed again, whole, from the raw
rows. So a batch that is written twice, a run that ends a day later and a process that dies leave the
same figures.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sinks.metrics import SinkMetrics
from sinks.retention import FOREVER, Retention
from sinks.rollup_sql import CHANGED_DAYS, COMPUTATION, ROLLUPS, changes
from transport.clickhouse import ClickHouse
from transport.errors import TransportError

log = logging.getLogger(__name__)

_MARGIN = timedelta(seconds=1)
_SET_BACK = timedelta(hours=1)
_DUTY = 0.05
"""Share of one CPU at most: a refresh that takes long, after a flood of late changes, comes less often."""

_BY_SOURCE = {rollup.source: rollup for rollup in ROLLUPS}

_NOW = """
SELECT now64(6, 'UTC') AS now, now - toIntervalMicrosecond(toInt64(ifNull((
    SELECT max(elapsed) FROM system.processes WHERE query_kind = 'Insert'
), 0) * 1e6)) AS settled
"""
"""The time, and the time before which every insert is over: its rows can be read, or never will be."""


class Rollups:
    """Computes what has changed. Any number may work at once: the latest computation of a bucket counts."""

    def __init__(self, clickhouse: ClickHouse, retention: Retention = FOREVER) -> None:
        self._clickhouse = clickhouse
        self._retention = retention
        self._refreshed_at: float | None = None

    async def refresh(self) -> int:
        """Returns the number of days, counted for each source, that had something new.

        Raises `ClickHouseUnavailable`, `StatementRefused`; what is done until then is done again.
        """
        started = time.monotonic()
        now, settled = _times((await self._clickhouse.query(_NOW)).rows[0])
        until, as_of = await self._progress()
        # A clock that was set back has given what came since an earlier time than what was done before.
        since = min(until, now - self._passed(started, now < until)) - _MARGIN
        parameters = {"since": _text(since), "as_of": _text(max(now, as_of + timedelta(microseconds=1)))}
        await self._clickhouse.execute(changes(self._retention), parameters)
        changed = (await self._clickhouse.query(CHANGED_DAYS, parameters)).rows
        for source, day in changed:
            rollup = _BY_SOURCE[source]
            for statement in (rollup.minutes(), rollup.hours(), rollup.days()):
                await self._clickhouse.execute(statement, {**parameters, "day": day})
        if changed:
            done = {"until": _text(settled), "as_of": parameters["as_of"], "computation": str(COMPUTATION)}
            await self._clickhouse.execute(_COMPUTED, done)
            await self._clickhouse.execute(_DONE, done)
        self._refreshed_at = started
        return len(changed)

    def _passed(self, started: float, set_back: bool) -> timedelta:
        """Since the last refresh. If another sink has done that, nobody knows how far the clock was set."""
        if self._refreshed_at is not None:
            return timedelta(seconds=started - self._refreshed_at)
        return _SET_BACK if set_back else timedelta()

    async def _progress(self) -> tuple[datetime, datetime]:
        found = await self._clickhouse.query(_PROGRESS, {"computation": str(COMPUTATION)})
        if not found.rows:
            return _BEGINNING, _BEGINNING
        *times, is_ours = found.rows[0]
        until, as_of = _times(times)
        return until if is_ours else _BEGINNING, as_of


_PROGRESS = """
SELECT
    recorded_until,
    as_of,
    as_of IN (SELECT as_of FROM rollup_computations WHERE computation = {computation:UInt32})
FROM rollup_progress
ORDER BY as_of DESC
LIMIT 1
"""
_COMPUTED = """
INSERT INTO rollup_computations (as_of, computation) SELECT {as_of:DateTime64(6, 'UTC')}, {computation:UInt32}
"""
_DONE = """
INSERT INTO rollup_progress (recorded_until, as_of)
SELECT {until:DateTime64(6, 'UTC')}, {as_of:DateTime64(6, 'UTC')}
"""

_BEGINNING = datetime(1971, 1, 1, tzinfo=UTC)
"""Before anything was recorded: the first refresh computes all that an earlier release has left."""


class Refreshable(Protocol):
    """See `Rollups.refresh`."""

    async def refresh(self) -> int:
        """Brings the figures up to date."""


async def keep_rollups(
    rollups: Refreshable, interval_s: float, is_ours: Callable[[], bool], metrics: SinkMetrics
) -> None:
    """Refreshes until it is cancelled. `is_ours`: whether this sink does so, and not another one.

    A failure is logged, counted and tried again.
    """
    pause_s = interval_s
    while True:
        await asyncio.sleep(pause_s)
        pause_s = interval_s
        if not is_ours():
            continue
        started = time.monotonic()
        try:
            await rollups.refresh()
        except Exception as failed:  # whatever it is, or figures would stay as they are and nobody would know
            metrics.rollup_failures.inc()
            unforeseen = None if isinstance(failed, TransportError) else failed
            log.warning("the rollups are brought up to date later: %s", failed, exc_info=unforeseen)
        took_s = time.monotonic() - started
        metrics.rollup_seconds.observe(took_s)
        pause_s = max(interval_s, took_s / _DUTY)


def _times(texts: list[str]) -> tuple[datetime, datetime]:
    first, second = (datetime.fromisoformat(text) for text in texts)
    return first, second


def _text(time_: datetime) -> str:
    return time_.strftime("%Y-%m-%d %H:%M:%S.%f")
