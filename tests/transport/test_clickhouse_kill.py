"""The directory of the embedded engine after its process was killed while it wrote."""

import os
import signal
import subprocess
import sys
from pathlib import Path

# The engine is one for a process, so that each of these is one of its own.
_WRITER = """
import asyncio, sys
from pydantic import SecretStr
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

async def main():
    clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(f"chdb://{sys.argv[1]}")))
    await clickhouse.execute(
        "CREATE TABLE IF NOT EXISTS kept (n UInt64, text String) ENGINE = MergeTree ORDER BY n"
    )
    [(first,)] = (await clickhouse.query("SELECT count() FROM kept")).rows
    n = int(first)
    while n < int(first) + int(sys.argv[2]):
        await clickhouse.execute(f"INSERT INTO kept SELECT {n}, repeat('x', 100000)")
        n += 1
        print(n, flush=True)
    await clickhouse.query("SELECT sum(length(text)) FROM kept")
    await clickhouse.close()
    print("closed", flush=True)

asyncio.run(main())
"""


def write(directory: Path, count: int) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", _WRITER, str(directory), str(count)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_what_was_written_is_there_and_more_can_be(tmp_path: Path) -> None:
    """Twice: in the middle of the inserts, and of the merges of the parts that the first has left."""
    acknowledged = 0
    for kill_after in (25, 40):
        with write(tmp_path / "ch", 1_000_000) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                assert int(line) > acknowledged, "what was acknowledged before the kill is gone"
                acknowledged = int(line)
                kill_after -= 1
                if not kill_after:
                    os.kill(writer.pid, signal.SIGKILL)
                    break
            rest = writer.stdout.read().split()
            acknowledged = max(acknowledged, *(int(line) for line in rest if line.isdecimal()), 0)
    with write(tmp_path / "ch", 3) as writer:
        assert writer.stdout is not None
        lines = writer.stdout.read().split()
        assert writer.wait() == 0
    assert lines[-1] == "closed"
    assert int(lines[0]) > acknowledged
