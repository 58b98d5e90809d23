"""CPU time of the parts of a run, slice by slice, each beside the calibration."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeVar

from bench.connection import Target
from bench.cpu import door, job
from bench.cpu.calibration import work
from bench.cpu.door import Door
from bench.cpu.landed import ALL
from bench.cpu.sink import Sink
from bench.cpu.worker import Worker
from bench.orders import batch_name, orders
from cli.garbage import collect_rarely
from schemas.codec import SingleObjectCodec

RUNS = 12
"""Of a slice: few, so that the calibration and they have the same CPU, whatever its other users do."""

_WARM_UP, _SLICES = 60, 400
_QUARTER = RUNS // 4
_HUNG_S = 300.0
"""For what takes some seconds: by then something waits for what never comes."""
_T = TypeVar("_T")


class Slice(NamedTuple):
    """CPU seconds, each of `RUNS` runs, and of as many times the calibration."""

    ingress: float
    worker: float
    sink: float
    calibration: float


@dataclass(frozen=True)
class Figures:
    """By part: ingress, worker, sink, and all of them."""

    ratios: Mapping[str, float]
    """Of a run's CPU to the calibration's: about the same on all machines."""
    microseconds: Mapping[str, float]
    """Of a run here and now."""


def figures(slices: Sequence[Slice]) -> Figures:
    """Medians: what else the machine did in some of the slices is not in them."""
    parts = {name: [getattr(one, name) for one in slices] for name in Slice._fields[:-1]}
    parts[ALL] = [sum(one[:-1]) for one in slices]
    work_s = [one.calibration for one in slices]
    return Figures(
        {name: statistics.median(map(float.__truediv__, cpu_s, work_s)) for name, cpu_s in parts.items()},
        {name: statistics.median(cpu_s) / RUNS * 1e6 for name, cpu_s in parts.items()},
    )


class HotPath:
    """One run of the job after the other through door, worker and sink, in this process and thread."""

    def __init__(self, door: Door, worker: Worker, sink: Sink, target: Target = job.ENDPOINT) -> None:
        self._door, self._worker, self._sink = door, worker, sink
        self._target = target
        self._orders = orders(batch_name("cpu"))

    async def slice(self) -> Slice:
        """`RUNS` runs, and the calibration before, between and after their parts: so it, too, finds caches in
        which something else was."""
        requests = [self._target.request(one.order_id, one.body) for one in islice(self._orders, RUNS)]
        calibration = calibrated()
        ingress, events = await timed(self._door.take(requests))
        calibration += calibrated()
        worker, told = await timed(self._worker.take(events))
        read = self._sink.read([*events, *told])
        calibration += calibrated()
        sink, _ = await timed(self._sink.take(read))
        return Slice(ingress, worker, sink, calibration + calibrated())


def calibrated(times: int = _QUARTER) -> float:
    """CPU seconds of as many times the calibration's work."""
    started = time.process_time()
    for number in range(times):
        work(number)
    return time.process_time() - started


async def measure() -> Figures:
    """Of this code on this machine; takes some seconds. From then on, garbage is collected as in a role.

    Raises `TimeoutError` when a part never comes to an end.
    """
    definitions, codec = job.definitions(), SingleObjectCodec()
    sink = Sink(definitions, codec)
    async with (
        door.opened(definitions, codec, RUNS) as ingress,
        Worker(definitions, codec).running() as worker,
    ):
        path = HotPath(ingress, worker, sink)
        async with asyncio.timeout(_HUNG_S):
            for _ in range(_WARM_UP):
                await path.slice()
            collect_rarely()
            return figures([await path.slice() for _ in range(_SLICES)])


async def timed(done: Awaitable[_T]) -> tuple[float, _T]:
    """CPU seconds until it is done, those of all threads, and what comes of it."""
    started = time.process_time()
    result = await done
    return time.process_time() - started, result
