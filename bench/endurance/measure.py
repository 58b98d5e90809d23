"""One `hopline up` at a steady rate: posting, looking at it each half minute, and the reckoning."""

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.analytics.store import embedded
from bench.endurance.history import Recorded, recorded
from bench.endurance.parts import Parts
from bench.endurance.posting import Window, post_window
from bench.endurance.window import State, behind, look
from bench.measure import started
from bench.peers.hopline import Hopline
from bench.progress import Say
from transport.clickhouse import ClickHouse
from transport.settings import KafkaSettings

_DRAIN_S = 300.0
_POLL_S = 2.0
_TIMES = 3
"""That nobody is behind: the topics are asked one after the other, and a message may pass between."""


class Endured(NamedTuple):
    """What came of it."""

    states: Sequence[State]
    """One more than windows: the first from before the first order."""
    windows: Sequence[Window]
    recorded: Sequence[Recorded]
    quiet: bool
    """Whether all that was accepted ended in time."""

    @property
    def faults(self) -> list[str]:
        """What is wrong; empty if each accepted order was recorded exactly once, and none was refused."""
        found = [] if self.quiet else ["it did not come to rest in time"]
        for window, there in zip(self.windows, self.recorded, strict=True):
            found += there.faults(window)
            found += [f"{window.batch}: {count} times {why}" for why, count in window.refusals.items()]
        return found


async def endure(data: Path, *, per_s: float, seconds: float, each_s: float, say: Say) -> Endured:
    """Empties `data`, and leaves no process behind.

    Raises `StartFailed`, `CommandFailed`, `BrokerUnreachable`.
    """
    hopline, count = Hopline(), max(1, round(seconds / each_s))
    async with started(hopline, data, say):
        kafka = KafkaSettings(bootstrap_servers=_broker(data))
        (root,) = hopline.roots
        parts, posting = Parts(root), list[asyncio.Task[Window]]()
        states, began = [await look(parts, data, kafka)], time.monotonic()
        try:
            for number in range(count + 1):
                # The next window begins when it is due, whatever became of the one before: late answers
                # don't lower the rate.
                await asyncio.sleep(max(0.0, began + number * each_s - time.monotonic()))
                if number < count:
                    posting.append(asyncio.create_task(post_window(hopline.endpoint, per_s, each_s)))
                if number:
                    states.append(await look(parts, data, kafka))
                    say(_line(number, count, states[-2:]))
            windows = await asyncio.gather(*posting)
        finally:
            for task in posting:
                task.cancel()
        accepted = sum(window.accepted for window in windows)
        say(f"{accepted:,} accepted, waiting for the last of their runs")
        quiet = await _until_read(kafka, say)
    say("counting what is recorded")
    clickhouse = await ClickHouse.connect(embedded(data))
    try:
        return Endured(states, windows, await recorded(clickhouse, windows), quiet)
    finally:
        await clickhouse.close()


async def _until_read(kafka: KafkaSettings, say: Say) -> bool:
    """Whether all has been read and committed, in time."""
    deadline, times = time.monotonic() + _DRAIN_S, 0
    while times < _TIMES and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_S)
        lag = await behind(kafka)
        times = 0 if any(lag.values()) else times + 1
        say(f"behind: {lag}")
    return times >= _TIMES


def _broker(data: Path) -> str:
    found = re.search(r"Kafka ready at (\S+)", (data / "terminal.log").read_text())
    assert found, "hopline up says where its broker is"
    return found[1]


def _line(number: int, count: int, states: Sequence[State]) -> str:
    before, now = states
    cpu_s = {part: (used - before.usage[part]).cpu_s for part, used in now.usage.items()}
    shown = (
        f"{part} {cpu_s[part]:.1f} s of CPU, {now.pss_mb[part]:,.0f} MB, {now.disk_mb[part]:,.0f} MB on disk"
        for part in now.usage
    )
    lag = ", ".join(f"{group} {behind:,}" for group, behind in now.lag.items())
    return f"{number} of {count}: {'; '.join(shown)}; behind: {lag}; load {now.load_1m:.1f}"
