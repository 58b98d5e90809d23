"""What process trees cost: CPU time, bytes written, memory, as the system accounts for them."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

_MEMORY_INTERVAL_S = 2.0


def tree(roots: Iterable[int]) -> list[psutil.Process]:
    """The processes with these pids and all below them; those that have ended are left out."""
    found: dict[int, psutil.Process] = {}
    for pid in roots:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            found |= {process.pid: process for process in (root, *root.children(recursive=True))}
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Usage:
    """What a set of trees has used since it started; only differences mean something."""

    cpu_s: float
    """User and system time, that of children which have ended and been waited for included."""
    written_bytes: int
    """To storage, as far as the kernel says so; 0 where it doesn't."""

    def __sub__(self, earlier: "Usage") -> "Usage":
        return Usage(self.cpu_s - earlier.cpu_s, self.written_bytes - earlier.written_bytes)


def usage(roots: Iterable[int]) -> Usage:
    """Of the trees as they are now. Blocks for some milliseconds."""
    return usage_of(tree(roots))


def usage_of(processes: Iterable[psutil.Process]) -> Usage:
    """Of these alone, without what lives below them."""
    cpu_s, written = 0.0, 0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            times = process.cpu_times()
            cpu_s += times.user + times.system + times.children_user + times.children_system
        with suppress(psutil.Error, AttributeError):
            written += process.io_counters().write_bytes
    return Usage(cpu_s, written)


def pss_mb(roots: Iterable[int]) -> float:
    """Proportional set size: a page that n processes share counts 1/n for each. MiB."""
    return pss_mb_of(tree(roots))


def pss_mb_of(processes: Iterable[psutil.Process]) -> float:
    """Of these alone, without what lives below them. MiB."""
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.uss)
    return total / 2**20


class PeakMemory:
    """The highest `pss_mb` seen while in the context, sampled every two seconds in a thread."""

    def __init__(self, roots: Callable[[], Iterable[int]]) -> None:
        self._roots = roots
        self._sampling: asyncio.Task[None] | None = None
        self.mb = 0.0

    async def __aenter__(self) -> Self:
        self._sampling = asyncio.create_task(self._sample())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._sampling is not None
        self._sampling.cancel()
        with suppress(asyncio.CancelledError):
            await self._sampling

    async def _sample(self) -> None:
        while True:
            self.mb = max(self.mb, await asyncio.to_thread(pss_mb, self._roots()))
            await asyncio.sleep(_MEMORY_INTERVAL_S)
