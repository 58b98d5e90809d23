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
from sinks.migrate import migrate
from tests.sinks.records import run, write
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

async def main():
    clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(f"chdb://{sys.argv[1]}")))
    await migrate(clickhouse)
    await write(clickhouse, "runs", run())
    print(*(await clickhouse.query("SELECT count() FROM workflow_run_changes")).rows[0])
    await clickhouse.close()

asyncio.run(main())
"""


def _told(program: str, directory: Path) -> str:
    argv = [sys.executable, "-c", program, str(directory)]
    root = Path(__file__).parents[2]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, cwd=root).stdout


def test_however_many_parts_are_empty_the_engine_starts_and_takes_rows(tmp_path: Path) -> None:
    _told(_FILL, tmp_path)
    files = [file for file in (tmp_path / "store").glob("*/*/*_*_*_*/*") if file.is_file()]
    assert len(files) > 100
    for file in files:
        file.write_bytes(b"")
    assert _told(_GO_ON, tmp_path) == "1\n"
