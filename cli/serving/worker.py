"""A worker alone, as `hopline worker` runs it."""

import asyncio
import logging

from cli.errors import CommandFailed
from cli.serving.settings import explaining
from cli.serving.topics import ensure_topics
from cli.settings import resolve
from cli.state import worker_locked
from streams.app import run_worker
from streams.executors.sandbox.errors import SandboxError
from streams.executors.settings import ExecutorSettings
from streams.settings import WorkerSettings
from transport.descriptors import allow_descriptors
from transport.settings import KafkaSettings, StorageSettings
from transport.storage import Storage

log = logging.getLogger(__name__)


async def serve(stop: asyncio.Event) -> int:
    """Works until `stop` is set; the exit code.

    Raises `TransportError` without a broker, and `CommandFailed` where another worker has its id.
    """
    settings, kafka = resolve(WorkerSettings), resolve(KafkaSettings)
    executors = resolve(ExecutorSettings)
    allow_descriptors()  # Its tables have some seven files open for each partition.
    storage = Storage.open(resolve(StorageSettings))
    await ensure_topics(kafka)
    log.info("worker %s at %s", settings.worker_id, kafka.bootstrap_servers)
    try:
        with worker_locked(settings.data_dir, settings.worker_id), explaining(settings.metrics_port):
            return await run_worker(settings, kafka, storage, executors, stop)
    except SandboxError as error:
        raise CommandFailed(str(error)) from error
