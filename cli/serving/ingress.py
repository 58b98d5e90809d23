"""The ingress alone, as `hopline ingress` runs it."""

import asyncio
import logging
from contextlib import nullcontext

from cli.errors import CommandFailed
from cli.serving.history import using
from cli.serving.topics import ensure_topics
from cli.settings import resolve
from ingress.app import build_app
from ingress.server import serve as serve_http
from ingress.settings import IngressSettings
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings, KafkaSettings, StorageSettings
from transport.storage import Storage

log = logging.getLogger(__name__)

_HISTORY_PATIENCE_S = 5.0
"""How long a query of the history waits for those before it: then 503, rather than an answer to nobody."""


async def serve(stop: asyncio.Event) -> int:
    """Drains when `stop` is set; the exit code.

    Raises `CommandFailed` when it cannot listen, `TransportError` without a broker.
    """
    settings, kafka = resolve(IngressSettings), resolve(KafkaSettings)
    history = resolve(ClickHouseSettings)
    storage = Storage.open(resolve(StorageSettings))
    await ensure_topics(kafka)
    clickhouse = await _connect(history)

    def listening(port: int) -> None:
        log.info("listening on http://%s:%d", settings.host, port)

    try:
        async with using(clickhouse) if clickhouse is not None else nullcontext():
            app = build_app(settings, kafka, storage, clickhouse)
            await serve_http(app, settings, stop, ready=listening)
    except OSError as refused:
        raise CommandFailed(
            f"cannot listen on {settings.host}:{settings.port} ({refused.strerror}): "
            "set HOPLINE_HOST and HOPLINE_PORT to what is free"
        ) from refused
    return 0


async def _connect(history: ClickHouseSettings) -> ClickHouse | None:
    """What the run history is read from; None where nothing has been named.

    A server that is away, or hangs, must not keep events out: it is reached when the history is read. An
    embedded engine that cannot be opened belongs to another process, which no restart would mend.
    """
    if not history.model_fields_set:
        log.warning("HOPLINE_CLICKHOUSE is not set: the routes of the run history answer 503")
        return None
    return await ClickHouse.prepare(history, _HISTORY_PATIENCE_S)
