"""`python -m bench.front`: ingress and sink in one process, as in `hopline up`, without broker and workers.

Settings: those of the ingress, and HOPLINE_KAFKA and HOPLINE_DATA_DIR.
"""

import asyncio
import os
import signal
from pathlib import Path

import uvloop
from pydantic import SecretStr

from cli.serving.system import System, SystemSettings
from transport.settings import ClickHouseSettings, KafkaSettings, StorageSettings


async def _serve() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    data_dir = Path(os.environ["HOPLINE_DATA_DIR"])
    settings = SystemSettings(
        data_dir=data_dir,
        port=int(os.environ["HOPLINE_PORT"]),
        workers=0,
        api_key=os.environ["HOPLINE_API_KEY"],
        secret_key=os.environ["HOPLINE_SECRET_KEY"],
        receiver_url="",
        egress_allow="",
        kafka=KafkaSettings(),
        clickhouse=ClickHouseSettings(dsn=SecretStr(f"chdb://{data_dir / 'clickhouse'}")),
        storage=StorageSettings(data_dir=data_dir),
        embedded_broker=False,
    )
    await System(settings, print).run(_until_stopped, stop)


async def _until_stopped(_: System) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
