"""A sink alone, as `hopline sink` runs it."""

import asyncio
import logging

from prometheus_client import CollectorRegistry, start_http_server

from cli.errors import CommandFailed
from cli.serving.settings import MetricsSettings
from cli.serving.topics import ensure_topics
from cli.settings import resolve
from sinks.app import Sink
from sinks.settings import SinkSettings
from transport.clickhouse import ClickHouse
from transport.registry import open_codec
from transport.settings import ClickHouseSettings, KafkaSettings

log = logging.getLogger(__name__)


async def serve(stop: asyncio.Event) -> int:
    """Writes until `stop` is set; the exit code.

    Raises `TransportError` without a broker or ClickHouse, `CommandFailed` when its metrics cannot be served.
    """
    settings, kafka = resolve(SinkSettings), resolve(KafkaSettings)
    where = resolve(ClickHouseSettings)
    registry = _serve_metrics(resolve(MetricsSettings).port)
    await ensure_topics(kafka)
    codec = await asyncio.to_thread(open_codec, kafka)
    clickhouse = await ClickHouse.connect(where)
    try:
        log.info("writing to database %s", clickhouse.database)
        await Sink(settings, kafka, codec, clickhouse, registry).run_until(stop)
    finally:
        await clickhouse.close()
    return 0


def _serve_metrics(port: int) -> CollectorRegistry:
    registry = CollectorRegistry()
    try:
        if port:
            start_http_server(port, registry=registry)
    except OSError as refused:
        raise CommandFailed(
            f"cannot serve metrics on port {port} ({refused.strerror}): choose another HOPLINE_METRICS_PORT"
        ) from refused
    return registry
