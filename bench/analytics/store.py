"""A store of generated runs: made once, found again as long as nothing that it is made of has changed."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from bench.analytics.calendar import Chunk
from bench.analytics.generate import Generator
from sinks.migrate import migrate
from sinks.rollups import Rollups
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

DATABASE = "hopline"
_ROOT = Path(__file__).parents[2]
_MADE_OF = ("bench/analytics/*.py", "bench/analytics/sql/*.sql", "sinks/migrations/*.sql", "sinks/rollup*.py")
_COMPLETE = "complete"


async def open_store(
    home: Path, runs: int, seed: int, written: Callable[[Chunk], None] = lambda chunk: None
) -> ClickHouse:
    """The embedded engine on `home`, with the raw tables filled; `written` hears of each chunk.

    What is there of other runs, or of a generation that was broken off, is removed first.
    Raises `ClickHouseUnavailable`, `StatementRefused`.
    """
    complete = home / _COMPLETE
    wanted = f"{runs} runs, seed {seed}, {_digest()}"
    if not complete.exists() or complete.read_text() != wanted:
        complete.unlink(missing_ok=True)
        shutil.rmtree(home / "clickhouse", ignore_errors=True)
    clickhouse = await ClickHouse.connect(embedded(home))
    if not complete.exists():
        await fill(clickhouse, runs, seed, written)
        complete.write_text(wanted)
    return clickhouse


async def fill(
    clickhouse: ClickHouse, runs: int, seed: int, written: Callable[[Chunk], None] = lambda chunk: None
) -> None:
    """Makes the tables of this release and writes the runs. Raises as `open_store` does."""
    await migrate(clickhouse)
    await Generator(clickhouse, runs, seed).fill(written)


async def roll_up(clickhouse: ClickHouse) -> None:
    """Computes the rollups as a sink does, until there is nothing more to compute."""
    await Rollups(clickhouse).refresh()


def embedded(home: Path) -> ClickHouseSettings:
    """The engine in this process, on a directory in `home`."""
    return ClickHouseSettings(dsn=SecretStr(f"chdb://{home.resolve()}/clickhouse?database={DATABASE}"))


def _digest() -> str:
    files = sorted(file for pattern in _MADE_OF for file in _ROOT.glob(pattern))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
