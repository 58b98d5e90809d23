"""Runs the application on a port, and stops it without losing what is under way."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web, web_response
from aiohttp.http_exceptions import HttpProcessingError

from ingress.drain import DRAIN
from ingress.express.connection import Express
from ingress.express.lending import Handler
from ingress.express.reading import Reader
from ingress.express.response import SERVER
from ingress.keys import SETTINGS
from ingress.listening import listen
from ingress.overload import OVERLOAD
from ingress.routes import OPERATIONS
from ingress.settings import IngressSettings


def _is_ours(record: logging.LogRecord) -> bool:
    """What is no HTTP is answered with 400, and no matter of ours: anybody could fill the log with it."""
    return not (
        record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | web.RequestPayloadError)
    )


_http_log = logging.getLogger(__name__)
_http_log.addFilter(_is_ours)


async def serve(
    app: web.Application,
    settings: IngressSettings,
    stopping: asyncio.Event,
    *,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serves until `stopping` is set, then drains: no new connections, the requests that are under way are
    finished within `drain_timeout_s`, the producer is flushed.

    `ready` is called with the port once requests are taken. Raises `BrokerUnreachable`, and `OSError` when
    the port is taken.
    """
    # A signal of the application would cost each answer something, and not see those to what is no HTTP.
    web_response.SERVER_SOFTWARE = SERVER  # type: ignore[attr-defined]
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_CLOSE_S)
    try:
        await runner.setup()
        assert runner.server is not None, "it has been set up"
        connecting = express(
            app,
            runner.server,
            # It would cost a third of the throughput; metrics and trigger logs say more.
            access_log=None,
            keepalive_timeout=settings.keepalive_timeout_s,
            max_line_size=settings.max_header_bytes,
            max_field_size=settings.max_header_bytes,
            max_headers=settings.max_headers,
            lingering_time=_LINGER_S,
            logger=_http_log,
        )
        listener = await listen(settings.host, settings.port, connecting, app[OVERLOAD])
        ready(listener.port)
        try:
            await stopping.wait()
        finally:
            listener.close()
        await app[DRAIN].finish(settings.drain_timeout_s)
        connecting.close()
    finally:
        await runner.cleanup()


def express(app: web.Application, server: web.Server, **given: Any) -> Express:
    """Makes the protocols of connections. `given` to those of aiohttp, for what is no plain event."""
    settings = app[SETTINGS]
    handler = partial(Handler, server, loop=asyncio.get_running_loop(), **given)
    return Express(Reader(app, OPERATIONS, settings), handler, app[DRAIN], settings.keepalive_timeout_s)


_LINGER_S = 2.0
"""How long the rest of a body that is refused is read, so that its sender gets to see the refusal."""

_CLOSE_S = 0.5
"""For answers that are being written when the draining is over."""
