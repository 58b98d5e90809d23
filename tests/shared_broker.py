"""One broker for all processes of a test run: the first that asks has it, until the last is done with it."""

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings


@contextmanager
def shared_broker(folder: Path) -> Iterator[str]:
    """Bootstrap servers. All who name the same existing `folder` get the same broker.

    Blocks while another process starts it, and at the end, in the process that has it, until nobody uses it.
    """
    address = folder / "broker.address"
    with (folder / "broker.start").open("w") as start, (folder / "broker.users").open("w") as users:
        fcntl.flock(start, fcntl.LOCK_EX)
        # Waits for one that is just being stopped; its address is gone then.
        fcntl.flock(users, fcntl.LOCK_SH)
        if address.exists():
            fcntl.flock(start, fcntl.LOCK_UN)
            yield address.read_text()
            return
        with _running(folder) as servers:
            address.write_text(servers)
            fcntl.flock(start, fcntl.LOCK_UN)
            try:
                yield servers
            finally:
                fcntl.flock(users, fcntl.LOCK_EX)
                address.unlink()


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    embedded = EmbeddedBroker(BrokerSettings(data_dir=folder, port=0))
    with asyncio.Runner() as runner:
        runner.run(embedded.start(print))
        try:
            yield embedded.bootstrap_servers
        finally:
            runner.run(embedded.stop())
