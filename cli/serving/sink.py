"""A sink alone, as `hopline sink` runs it."""

import asyncio
import logging

from prometheus_client import CollectorRegistry

from cli.serving.history import using
from cli.serving.settings import MetricsSettings, explaining
from cli.serving.topics import ensure_topics
from cli.settings import resolve
from sinks.app import Sink
from sinks.settings import SinkSettings
from sinks.source import GROUP
from transport.clickhouse import ClickHouse
from transport.lag import LagMeter
from transport.registry import open_codec
from transport.settings import ClickHouseSettings, KafkaSettings
from transport.status import Status, status_served

log = logging.getLogger(__name__)


async def serve(stop: asyncio.Event) -> int:
    """Writes until `stop` is set; the exit code.

    Raises `TransportError` without a broker or ClickHouse, `CommandFailed` when its metrics cannot be served.
    """
    settings, kafka = resolve(SinkSettings), resolve(KafkaSettings)
    where = resolve(ClickHouseSettings)
    port, registry = resolve(MetricsSettings).port, CollectorRegistry()
    await ensure_topics(kafka)
    codec = await asyncio.to_thread(open_codec, kafka)
    clickhouse = await ClickHouse.connect(where)
    async with using(clickhouse):
        log.info("writing to database %s", clickhouse.database)
        sink = Sink(settings, kafka, codec, clickhouse, registry)

        def lag() -> LagMeter:
            return LagMeter(kafka, GROUP, lambda: sink.assigned, registry)

        status = Status("hopline-sink", sink.components)
        with explaining(port):
            async with status_served(status, port, registry, lag):
                await sink.run_until(stop)
    return 0
