"""What the parts of one `hopline up` use, told apart by their processes."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.procs import Usage, pss_mb_of, tree, usage_of

FRONT, WORKER, KAFKA = "ingress and sink", "worker", "Kafka"
PARTS = (WORKER, KAFKA, FRONT)
"""ClickHouse's engine is in the process of ingress and sink."""

FOLDERS = {WORKER: "workers", KAFKA: "kafka", FRONT: "clickhouse"}
"""What each keeps in the data directory."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Of the process `root`, and of all below it."""

    root: int

    def usage(self) -> Mapping[str, Usage]:
        """By part. Blocks for some milliseconds."""
        return {part: usage_of(some) for part, some in self._processes().items()}

    def pss_mb(self) -> Mapping[str, float]:
        """By part. Blocks for a tenth of a second."""
        return {part: pss_mb_of(some) for part, some in self._processes().items()}

    def _processes(self) -> Mapping[str, Sequence[psutil.Process]]:
        """Each part has all that its own child has started, of which the worker's sandbox is some."""
        found: dict[str, Sequence[psutil.Process]] = {part: [] for part in PARTS}
        front = psutil.Process(self.root)
        rest = [front]
        for child in front.children():
            below = tree([child.pid])
            part = _part(child)
            if part is None:
                rest += below
            else:
                found[part] = [*found[part], *below]
        return found | {FRONT: rest}


def disk_mb(data: Path) -> Mapping[str, float]:
    """What each part has on disk, as the file system counts it; MiB. Blocks."""
    return {part: _taken(data / folder) / 2**20 for part, folder in FOLDERS.items()}


def _taken(folder: Path) -> int:
    taken = 0
    # Unlike `Path.rglob`, this doesn't mind a folder that is merged or deleted after it was listed.
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                taken += (Path(path) / name).stat().st_blocks * 512
    return taken


def _part(child: psutil.Process) -> str | None:
    try:
        argv = child.cmdline()
    except psutil.Error:
        return None
    if "worker" in argv:
        return WORKER
    return KAFKA if argv and Path(argv[0]).name == "java" else None
