"""A worker that keeps subscriptions alive, and does nothing else. Arguments: a JSON object."""

import asyncio
import json
import signal
import sys
from functools import partial
from pathlib import Path

from schemas.secrets import SecretBox
from streams.dead_letters import dead_letter
from streams.shell.settings import ShellSettings
from streams.shell.worker import Worker
from streams.subscriptions.app import open_subscriptions
from transport.feed import DefinitionsFeed
from transport.producer import Producer
from transport.registry import open_codec
from transport.settings import KafkaSettings


async def main() -> int:
    given = json.loads(sys.argv[1])
    kafka = KafkaSettings(
        bootstrap_servers=given["bootstrap"], topic_prefix=given["prefix"], partitions=given["partitions"]
    )
    folder, worker_id = Path(given["folder"]), given["worker_id"]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    codec = open_codec(kafka)
    async with DefinitionsFeed(kafka, codec) as feed:
        producer = Producer(kafka)
        opened = open_subscriptions(
            producer,
            codec,
            feed.definitions.subscriptions,
            SecretBox(given["secret_key"].encode()),
            base_url="",
            egress_allow=["127.0.0.1"],
        )
        async with opened as stage:
            shell = ShellSettings(kafka=kafka, worker_id=worker_id, data_dir=folder, store="memory")
            worker = Worker(
                shell,
                [stage],
                [],
                producer,
                partial(dead_letter, codec),
            )
            await worker.start()
            await worker.ready.wait()
            (folder / f"{worker_id}.ready").touch()
            code = await worker.run_until(stop)
        await producer.close()
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
