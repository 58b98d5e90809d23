"""`python -m bench.analytics.sample "SELECT …"`: asks the sample data of docs/analytics.md, made if need be.

With `--into DSN` it puts the sample data into a database of a ClickHouse server instead; with `--update` it
writes the outputs on the page anew.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from pydantic import SecretStr

from bench.analytics.page import PAGE, questions, table, with_outputs
from bench.analytics.store import fill, open_store, roll_up
from ingress.errors import Malformed
from ingress.sql import Sql, SqlLimits
from transport.clickhouse import ClickHouse
from transport.errors import TransportError
from transport.settings import ClickHouseSettings

RUNS, SEED = 5_000, 1
HOME = Path(".hopline-sample")

_LIMITS = SqlLimits(seconds=600)


async def sample(home: Path = HOME) -> ClickHouse:
    """The sample data, made where there is none yet. Raises `ClickHouseUnavailable`, `StatementRefused`."""
    clickhouse = await open_store(home, RUNS, SEED)
    await roll_up(clickhouse)
    return clickhouse


async def answer(clickhouse: ClickHouse, query: str) -> str:
    """What `hopline sql` would show, for all tenants and however slow the machine is.

    Raises `Malformed`, `ClickHouseUnavailable`.
    """
    result = await Sql(clickhouse, _LIMITS).run(query)
    return table(result.columns, result.rows)


async def renewed(clickhouse: ClickHouse, text: str) -> str:
    """The page with the outputs that its queries have now. Raises as `answer` does."""
    shown = {
        question.query: await answer(clickhouse, question.query)
        for question in questions(text)
        if question.output is not None
    }
    return with_outputs(text, shown.__getitem__)


async def _ask(query: str) -> None:
    clickhouse = await sample()
    try:
        sys.stdout.write(await answer(clickhouse, query))
    finally:
        await clickhouse.close()


async def _update() -> None:
    clickhouse = await sample()
    try:
        PAGE.write_text(await renewed(clickhouse, PAGE.read_text()))
    finally:
        await clickhouse.close()


async def _load(dsn: str) -> int:
    clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(dsn)))
    try:
        tables = await clickhouse.query(
            "SELECT count() FROM system.tables WHERE database = currentDatabase()"
        )
        if tables.rows[0][0]:
            print(
                f"sample: the database {clickhouse.database} is not empty: name another one", file=sys.stderr
            )
            return 1
        await fill(clickhouse, RUNS, SEED)
        await roll_up(clickhouse)
    finally:
        await clickhouse.close()
    return 0


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.analytics.sample", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("query", nargs="?", help="a SELECT")
    what.add_argument(
        "--into", metavar="DSN", help="of an empty database, http://user:password@host:8123/sample"
    )
    what.add_argument("--update", action="store_true", help="the outputs in docs/analytics.md")
    given = parser.parse_args()
    try:
        if given.into:
            return asyncio.run(_load(given.into))
        asyncio.run(_update() if given.update else _ask(given.query))
    except (Malformed, TransportError) as failed:
        print(f"sample: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
