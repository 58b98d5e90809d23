"""Faust as it comes, doing what the shell's stage in `shell_process` does: `stock_faust.py '<json>'`.

The control of `test_shell_stock.py`: it awaits every send and writes a table, as Faust's documentation
says, and still loses what is fetched while a recovery ends.
"""

import asyncio
import json
import sys
import time

import faust
from faust.transport.consumer import Consumer

OPTIONS = json.loads(sys.argv[1])


def slow_down_the_seek() -> None:
    """As `shell_faults.slow_seek`, until the fetcher has been faster: it need not be hoped for."""
    perform_seek = Consumer.perform_seek

    async def slow(self: Consumer) -> None:
        await perform_seek(self)
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            await asyncio.sleep(0.01)
            if any(topic.queue.qsize() > 100 for topic in self.app.topics):
                break

    Consumer.perform_seek = slow


async def main() -> None:
    slow_down_the_seek()
    prefix = OPTIONS["prefix"]
    app = faust.App(
        f"{prefix}workers",
        broker=f"kafka://{OPTIONS['bootstrap']}",
        datadir=OPTIONS["data_dir"],
        store="memory://",
        topic_partitions=OPTIONS["partitions"],
        topic_replication_factor=1,
        topic_disable_leader=True,
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        broker_commit_interval=0.5,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    source = app.topic(f"{prefix}trigger.events", key_type=str, value_type=bytes, value_serializer="raw")
    out = app.topic(f"{prefix}run.commands", key_type=str, value_type=bytes, value_serializer="raw")
    changelog = app.topic(f"{prefix}changelog.dedup", key_type=str, value_type=bytes, value_serializer="raw")
    table = app.Table("dedup", key_type=str, value_type=bytes, changelog_topic=changelog)

    async def forward(stream: faust.Stream[bytes]) -> None:
        async for event in stream.events():
            await asyncio.sleep(0.003)  # Work, so that something is still queued when the recovery ends.
            if event.key not in table:
                await (await out.send(key=event.key, value=event.value))
                table[event.key] = b"1"

    app.agent(source)(forward)
    app.finalize()
    await app.start()
    await asyncio.Event().wait()


asyncio.run(main())
