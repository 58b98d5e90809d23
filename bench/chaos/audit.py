"""Compares the run history with the journals of the producer and of the receiver of the side effects."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.audit import DEAD_LETTERS, STUCK_LOGS, until_quiet
from bench.chaos.calls import Call, read_calls
from bench.chaos.events import event_ids
from bench.chaos.history import History, Run, Tick, doubled_rows, events_there, runs_by_event, ticks
from bench.chaos.installation import Schedule
from bench.chaos.judge import FAULTS, Fault, by_event, judge, shared_keys
from bench.chaos.load import Load
from bench.deployment import Deployment
from bench.findings import Findings
from bench.progress import Say
from cli.errors import CommandFailed
from transport.settings import KafkaSettings

WORDS = {
    **FAULTS,
    "unrecorded": "events without a record",
    "doubled_rows": "records doubled",
    "stuck_logs": "stuck logs",
    "missed_times": "times of schedules missed",
    "doubled_times": "doubled",
    "failed_times": "failed",
    "dead_letters": "dead letters",
    "odd_refusals": "refusals without an outage",
    "unheard": "runs that could not be answered, cancelled or resumed",
}
"""Kind of fault -> what the line calls it; see also `FAULTS`."""


_ATTEMPTS, _AGAIN_S = 5, 5.0


async def settle(
    deployment: Deployment, kafka: KafkaSettings, load: Load, *, timeout_s: float, say: Say = lambda _: None
) -> bool:
    """Waits until all that was acknowledged has ended and been read; False if that is late.

    Everything must be up. The schedules go on until the rest has come to an end, and are paused then. Raises
    `CommandFailed`.
    """
    expected = len(load.acknowledged)
    quiet = await until_quiet(deployment, kafka, expected, timeout_s=timeout_s, say=say)
    await load.stop_schedules()
    return quiet and await until_quiet(deployment, kafka, expected, timeout_s=timeout_s, say=say)


class _Patient:
    """A `History` that is asked again: a busy machine needs longer than the API allows a query."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def select(self, sql: str) -> list[Mapping[str, Any]]:
        for _ in range(_ATTEMPTS - 1):
            with suppress(CommandFailed):
                return await self._history.select(sql)
            await asyncio.sleep(_AGAIN_S)
        return await self._history.select(sql)


async def audit(deployment: Deployment, load: Load, receiver_journal: Path) -> Findings:
    """Reads it all. Raises `CommandFailed`."""
    history = _Patient(deployment)
    journal, prefix = load.journal, event_ids(load.seed)
    calls = list(read_calls(receiver_journal))
    runs = await runs_by_event(history, set(load.sent), prefix)
    effects, keys = {call.effect for call in calls}, {call.key for call in calls}
    called = f"{len(effects):,} side effects in {len(keys):,} attempts and {len(calls):,} calls"
    fired = f"{sum(len(schedule.times()) for schedule in load.installed.schedules):,} times of schedules"
    found = Findings(len(load.acknowledged), journal.repeats, WORDS, (called, fired))
    for fault in (*_faults(load, runs, calls), *shared_keys(calls)):
        found.find(*fault)
    unrecorded = load.acknowledged - await events_there(history, set(load.sent), prefix)
    found.add("unrecorded", len(unrecorded), sorted(unrecorded))
    for table, doubled in await doubled_rows(history):
        found.add("doubled_rows", doubled, (table,))
    for schedule in load.installed.schedules:
        times = schedule.times()
        for fault in missed(schedule, await ticks(history, schedule.trigger_id, times)):
            found.find(*fault)
    found.add("stuck_logs", (await history.select(STUCK_LOGS))[0]["logs"])
    found.add("dead_letters", (await history.select(DEAD_LETTERS))[0]["letters"])
    found.add("odd_refusals", load.odd.total(), load.odd)
    found.add("unheard", len(load.unheard), load.unheard)
    return found


def _faults(load: Load, runs: dict[str, list[Run]], calls: Sequence[Call]) -> Iterator[Fault]:
    called = by_event(calls)
    for event in load.sent.values():
        acknowledged = event.id in load.acknowledged
        yield from judge(event, runs.get(event.id, ()), called.get(event.id, ()), acknowledged=acknowledged)
    for event_id in sorted((runs.keys() | called.keys()) - load.sent.keys()):
        yield "doubled", f"{event_id} was never sent"


def missed(schedule: Schedule, fired: Sequence[Tick]) -> Iterator[Fault]:
    """Times without a run, and those with several, or with one that failed. Pure."""
    by_time = {tick.at_s: tick for tick in fired}
    for at_s in schedule.times():
        tick = by_time.get(at_s, Tick(schedule.trigger_id, at_s, 0, 0))
        where = f"{at_s}, every {schedule.every_s} s"
        if not tick.runs:
            yield "missed_times", where
        elif tick.runs > 1:
            yield "doubled_times", where
        elif tick.succeeded != tick.runs:
            yield "failed_times", where
