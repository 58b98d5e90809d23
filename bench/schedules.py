"""`python -m bench.schedules --schedules 10000 --seconds 180 --seed 1`: schedules while workers are killed,
or, with `--calm`, while nothing happens to them.

Each schedule fires every minute, at a moment of its own within the first half of it. Exit code 0 only if
every time of every schedule has exactly one run that succeeded; the last line says the counts, and how late
the runs began.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.audit import until_quiet
from bench.blows import Rhythm, keep_up, strike
from bench.deployment import MAX_ROWS
from bench.fleet import Fleet
from bench.progress import Say
from schemas.triggers.schedule import MAX_JITTER_S, ScheduleConfig, jitter_us

_CONNECTIONS = 16
_SETTLE_S = 2.0
_GRAPH: dict[str, Any] = {
    "nodes": [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}},
        {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
    ],
    "edges": [{"id": "e", "source": "start", "target": "end"}],
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done, for how long."""

    schedules: int
    seconds: float
    interval_s: int
    jitter_s: float
    rhythm: Rhythm | None
    """Of the kills; None for none."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of the times between the end of the set-up and the end of the storm."""

    expected: int
    missing: int
    doubled: int
    failed: int
    late_p50_s: float
    late_p99_s: float
    """From the scheduled time, jitter included, to the start of the run; take-overs count."""

    @property
    def clean(self) -> bool:
        """Each time exactly once."""
        return not (self.missing or self.doubled or self.failed)

    def __str__(self) -> str:
        return (
            f"{self.expected:,} times: {self.missing} missing, {self.doubled} doubled, {self.failed} failed; "
            f"late p50 {self.late_p50_s * 1000:,.0f} ms, p99 {self.late_p99_s * 1000:,.0f} ms"
        )


async def storm(plan: Plan, home: Path, say: Say) -> Found:
    """Two workers, of which one or the other is killed all the time unless `plan` is calm. Empties `home`."""
    async with Fleet(home, workers=2) as fleet:
        await _create(plan, fleet, say)
        first_us = _next_time(plan)
        kind = "kills" if plan.rhythm else "calm"
        say(f"{plan.schedules:,} schedules; {plan.seconds:,.0f} s of {kind} begin")
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            if plan.rhythm is not None:
                group.create_task(strike(fleet.workers, plan.rhythm, over, say))
                for worker in fleet.workers:
                    group.create_task(keep_up(worker, plan.rhythm, over, say))
            await asyncio.sleep(plan.seconds)
            over.set()
        last_us = _next_time(plan) - plan.interval_s * 1_000_000
        await asyncio.sleep(plan.jitter_s + _SETTLE_S)
        expected = plan.schedules * ((last_us - first_us) // (plan.interval_s * 1_000_000) + 1)
        await until_quiet(fleet.deployment, fleet.kafka, expected, say=say)
        return await _judge(plan, fleet, first_us, last_us)


def _config(plan: Plan) -> ScheduleConfig:
    return ScheduleConfig(interval_s=plan.interval_s, jitter_s=plan.jitter_s, catch_up="all")


def _next_time(plan: Plan) -> int:
    """The first time of all schedules after now: intervals count from the epoch."""
    step = plan.interval_s * 1_000_000
    return (time.time_ns() // 1000 // step + 1) * step


async def _create(plan: Plan, fleet: Fleet, say: Say) -> None:
    client = fleet.deployment.client
    imported = await asyncio.to_thread(
        client.upload, "workflows", "import", content=orjson.dumps(_GRAPH), app="tick", publish="true"
    )

    def create(number: int) -> None:
        config = _config(plan).model_copy(update={"external_id": f"tick-{number}"}).model_dump(mode="json")
        wanted = {"type": "SCHEDULE", "workflow_id": imported["workflow_id"], "config": config}
        client.post("triggers", body=wanted)
        if number and number % 1000 == 0:
            say(f"{number:,} schedules created")

    def create_all() -> None:
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(create, range(plan.schedules)))

    await asyncio.to_thread(create_all)


async def _judge(plan: Plan, fleet: Fleet, first_us: int, last_us: int) -> Found:
    missing = doubled = failed = 0
    step = plan.interval_s * 1_000_000
    config, times = _config(plan), range(first_us, last_us + 1, step)
    lateness: list[float] = []
    for at_us in times:
        for low, high in _slices(plan.schedules):
            rows = await fleet.deployment.select(_RUNS.format(at=at_us, low=low, high=high))
            missing += high - low - len(rows)
            doubled += sum(row["runs"] != 1 for row in rows)
            failed += sum(row["succeeded"] != row["runs"] for row in rows)
            lateness += [float(row["late_s"]) - jitter_us(row["schedule"], config) / 1e6 for row in rows]
    lateness.sort()
    at = [lateness[int(len(lateness) * share)] if lateness else 0.0 for share in (0.5, 0.99)]
    return Found(plan.schedules * len(times), missing, doubled, failed, *at)


def _slices(count: int) -> Iterator[tuple[int, int]]:
    for low in range(0, count, MAX_ROWS // 2):
        yield low, min(count, low + MAX_ROWS // 2)


_RUNS = """
SELECT l.app_trigger_id AS schedule, count() AS runs, countIf(r.status = 'SUCCEEDED') AS succeeded,
       max(toUnixTimestamp64Micro(r.created_at) - {at}) / 1e6 AS late_s
FROM workflow_trigger_logs AS l INNER JOIN workflow_runs AS r ON r.trigger_log_id = l.id
WHERE l.trigger_type = 'SCHEDULE' AND l.created_at = fromUnixTimestamp64Micro({at})
  AND schedule IN (SELECT schedule FROM (
      SELECT DISTINCT app_trigger_id AS schedule FROM workflow_trigger_logs WHERE trigger_type = 'SCHEDULE'
      ORDER BY schedule LIMIT {high} - {low} OFFSET {low}))
GROUP BY schedule
"""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.schedules", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=180, help="of kills")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed when")
    parser.add_argument("--calm", action="store_true", help="without kills")
    given = parser.parse_args()
    rhythm = None if given.calm else Rhythm(given.seed)
    plan = Plan(given.schedules, given.seconds, 60, MAX_JITTER_S, rhythm)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hopline-schedules-") as home:
        found = asyncio.run(
            storm(
                plan, Path(home), lambda line: print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)
            )
        )
    print(found)
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
