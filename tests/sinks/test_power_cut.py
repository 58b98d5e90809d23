"""The tables of the embedded engine after the machine has lost its power, and files their content."""

import subprocess
import sys
from pathlib import Path

# The engine is one for a process, so that each of these is one of its own.
_FILL = """
import asyncio, os, sys
from pydantic import SecretStr
from sinks.migrate import migrate
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

async def main():
    clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(f"chdb://{sys.argv[1]}")))
    await migrate(clickhouse)
    await clickhouse.execute("SYSTEM STOP MERGES")
    for n in range(110):
        await clickhouse.execute(f"INSERT INTO workflow_run_changes (event_at, revision) SELECT now(), {n}")
    os._exit(0)

asyncio.run(main())
"""
_GO_ON = """
import asyncio, sys
from pydantic import SecretStr
import transport.clickhouse_embedded
from sinks.migrate import migrate
from sinks.table import Table
from tests.sinks.records import CODEC, message, run
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

transport.clickhouse_embedded.boot_id = lambda: sys.argv[2]

async def main():
    clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(f"chdb://{sys.argv[1]}")))
    await migrate(clickhouse)
    value = CODEC.encode("WorkflowRun", run(id="00000000-0000-0000-0000-000000000001"))
    await Table("runs", clickhouse, CODEC).write([message("runs", value, 7)])
    print(*(await clickhouse.query("SELECT count() FROM workflow_run_changes")).rows[0])
    await clickhouse.close()

asyncio.run(main())
"""


def _told(program: str, *given: str | Path) -> str:
    argv = [sys.executable, "-c", program, *map(str, given)]
    root = Path(__file__).parents[2]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, cwd=root).stdout


def _emptied(directory: Path) -> int:
    """How many files of parts there are, and nothing in them any more."""
    files = [file for file in (directory / "store").glob("*/*/*_*_*_*/*") if file.is_file()]
    for file in files:
        file.write_bytes(b"")
    return len(files)


def test_however_many_parts_are_empty_the_engine_starts_and_takes_rows(tmp_path: Path) -> None:
    _told(_FILL, tmp_path)
    assert _emptied(tmp_path) > 100
    assert _told(_GO_ON, tmp_path, "a boot") == "1\n"


def test_what_was_not_committed_is_written_again_though_it_had_been_written(tmp_path: Path) -> None:
    for _ in range(2):
        assert _told(_GO_ON, tmp_path, "a boot") == "1\n"
    assert _emptied(tmp_path) > 0
    assert _told(_GO_ON, tmp_path, "the next") == "1\n"
