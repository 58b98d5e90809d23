"""`python -m bench.analytics --runs 10000000`: how long the questions of docs/analytics.md take.

Generates the runs, computes the rollups as a sink does, compares every figure of them with the raw tables,
then asks each question. Writes bench/results/analytics.json. Exit code 0 only if the rollups are right.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bench.analytics.calendar import chunks
from bench.analytics.check import Compared, compare
from bench.analytics.measure import Measurement, Took
from bench.analytics.page import PAGE, questions, with_block
from bench.analytics.report import summary, told
from bench.analytics.sample import SEED
from bench.analytics.store import open_store, roll_up
from bench.report import machine, save
from transport.clickhouse import ClickHouse

RESULTS = Path(__file__).parents[1] / "results" / "analytics.json"

_SETTLED_S = 600.0
"""How long merges may go on before the questions are asked nevertheless."""


async def bench(runs: int, seed: int, repetitions: int, home: Path) -> dict[str, Any]:
    """What there is to report. Raises `ClickHouseUnavailable`, `StatementRefused`."""
    began = time.monotonic()
    clickhouse = await _generated(home, runs, seed)
    generated_s = time.monotonic() - began
    began = time.monotonic()
    await roll_up(clickhouse)
    rolled_up_s = time.monotonic() - began
    await _settle(clickhouse)
    compared = await _compared(clickhouse, runs)
    document = {
        "queries": {name: asdict(took) for name, took in _asked(home, repetitions).items()},
        "rollups": asdict(compared),
        "tables": await _tables(clickhouse),
        "seconds": {"generated": round(generated_s, 1), "rolled_up": round(rolled_up_s, 1)},
        "plan": {"runs": runs, "seed": seed, "repetitions": repetitions},
        "machine": machine(),
    }
    await clickhouse.close()
    return document


async def _generated(home: Path, runs: int, seed: int) -> ClickHouse:
    with _progress() as progress:
        task = progress.add_task("runs", total=runs)
        return await open_store(home, runs, seed, lambda chunk: progress.advance(task, chunk.count))


async def _settle(clickhouse: ClickHouse) -> None:
    until = time.monotonic() + _SETTLED_S
    while time.monotonic() < until:
        (merges,) = (await clickhouse.query("SELECT count() FROM system.merges")).rows[0]
        if not merges:
            return
        await asyncio.sleep(1)


async def _compared(clickhouse: ClickHouse, runs: int) -> Compared:
    compared = Compared(0, 0)
    with _progress() as progress:
        for chunk in progress.track(list(chunks(runs)), description="compared"):
            compared += await compare(clickhouse, chunk)
    return compared


def _asked(home: Path, repetitions: int) -> dict[str, Took]:
    asked = questions(PAGE.read_text())
    with Measurement.of(home) as measurement, _progress() as progress:
        return {
            question.name: measurement.ask(question, repetitions)
            for question in progress.track(asked, description="asked")
        }


async def _tables(clickhouse: ClickHouse) -> dict[str, dict[str, int]]:
    rows = await clickhouse.query(
        "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts FROM system.parts "
        "WHERE active AND database = currentDatabase() GROUP BY table HAVING rows > 1000 ORDER BY table"
    )
    return {name: {"rows": count, "bytes": size, "parts": parts} for name, count, size, parts in rows.rows}


def _progress() -> Progress:
    return Progress(console=Console(stderr=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.analytics", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--repetitions", type=int, default=5, help="of each query; the median counts")
    parser.add_argument("--update", action="store_true", help="write the figures into docs/analytics.md")
    parser.add_argument("--home", type=Path, help="keep the store here, and use it again; else it is removed")
    return parser


def main() -> int:
    """The exit code."""
    given = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="hopline-analytics-") as temporary:
        home = given.home or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        document = asyncio.run(bench(given.runs, given.seed, given.repetitions, home))
    save(RESULTS, document)
    print(summary(document))
    if given.update:
        PAGE.write_text(with_block(PAGE.read_text(), "figures", told(document)))
    return 0 if not document["rollups"]["different"] else 1


if __name__ == "__main__":
    sys.exit(main())
