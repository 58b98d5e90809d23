"""Which jars make up the broker, and where they are on this machine.

The list is locked in `jars.json`, rather than resolved on each machine, so that a first start needs 47 files
rather than 250, and so that nothing runs that is not byte for byte what was tested.
"""

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.errors import BrokerProblem
from cli.kafka.settings import BrokerSettings
from cli.tether import tethered

VERSION = "4.1.1"
LOCK_FILE = Path(__file__).with_name("jars.json")


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of the class path."""

    coordinate: str
    """`group:artifact:version`."""
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """As Maven repositories name it."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def is_in(self, directory: Path) -> bool:
        """Whether the directory has it; a file gets its name only after its digest was checked."""
        path = directory / self.file_name
        return path.is_file() and path.stat().st_size == self.size


def locked_jars() -> tuple[Jar, ...]:
    """All jars of the broker."""
    return tuple(Jar(**entry) for entry in json.loads(LOCK_FILE.read_text()))


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content. Blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def ensure_jars(settings: BrokerSettings, on_progress: Callable[[str], None]) -> Path:
    """The directory whose `*.jar` files are the class path; without network when they were fetched before.

    Raises `BrokerProblem` when they can't be fetched or stored.
    """
    digest = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:8]
    directory = settings.jar_cache / f"{VERSION}-{digest}"
    if not all(jar.is_in(directory) for jar in locked_jars()):
        await _fetch(directory, settings, on_progress)
    return directory


async def _fetch(directory: Path, settings: BrokerSettings, on_progress: Callable[[str], None]) -> None:
    """In a child process, because downloads that block can be ended there at once."""
    argv = [sys.executable, "-m", "cli.kafka.fetch", str(directory), settings.maven_repository or ""]
    process = await asyncio.create_subprocess_exec(
        *tethered(argv), stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    problem = "the download ended without a word"
    try:
        async for line in process.stdout:
            report = json.loads(line)
            problem = report.get("problem", problem)
            if "progress" in report:
                on_progress(report["progress"])
        if await process.wait():
            raise BrokerProblem(problem)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
