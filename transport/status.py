"""What a role that takes no requests says of itself over HTTP: `/metrics`, `/health`, `/health/detailed`.

In a thread of its own, so that it answers also while the loop of the role does not turn: then it says so.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from socketserver import TCPServer
from time import monotonic
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse

import orjson
from prometheus_client import CollectorRegistry, make_wsgi_app

from transport.lag import LagMeter
from transport.metrics import LoopDelay, describe_process

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"

_BEAT_S = 1.0
_POLL_S = 0.2
"""How soon the server notices that it is to end."""
_STALLED_S = 30.0
"""Longer than anything that may keep a loop busy: decisions give way after milliseconds."""

Answer = tuple[bool, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that a role needs, as of now."""

    status: str
    detail: str


Components = Callable[[], Mapping[str, Component]]
"""What the role stands on. Called in another thread than the role's, so it only looks; never blocks."""


class Status:
    """Live: the loop turns. Ready: no component is `unhealthy`, so the role does its work."""

    def __init__(self, service: str, components: Components, clock: Callable[[], float] = monotonic) -> None:
        self.service = service
        self._components = components
        self._clock = clock
        self._turned_at = clock()

    async def beat(self) -> None:
        """Shows that the loop turns, until cancelled."""
        while True:
            self._turned_at = self._clock()
            await asyncio.sleep(_BEAT_S)

    def live(self) -> Answer:
        """For a liveness check: whether restarting the process would help."""
        stalled_s = self._clock() - self._turned_at
        if stalled_s > _STALLED_S:
            detail = f"the event loop has not turned for {stalled_s:.0f} s"
            return False, {"service": self.service, "status": UNHEALTHY, "detail": detail}
        return True, {"service": self.service, "status": HEALTHY}

    def ready(self) -> Answer:
        """For a readiness check, with each component."""
        live, told = self.live()
        components = self._components()
        statuses = {one.status for one in components.values()}
        ready = live and UNHEALTHY not in statuses
        status = (DEGRADED if DEGRADED in statuses else HEALTHY) if ready else UNHEALTHY
        shown = {name: {"status": one.status, "detail": one.detail} for name, one in components.items()}
        return ready, {**told, "status": status, "components": shown}


@contextmanager
def serving(port: int, status: Status, registry: CollectorRegistry) -> Iterator[int]:
    """Serves on all interfaces until it is left; the port, which is a free one for 0. Raises `OSError`."""
    server = make_server("", port, _app(status, registry), _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="status", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def status_served(
    status: Status,
    port: int,
    registry: CollectorRegistry,
    lag: Callable[[], LagMeter],
    *measures: Callable[[], Coroutine[Any, Any, None]],
) -> AsyncIterator[None]:
    """Serves and measures until it is left; with port 0 it does nothing. Raises `OSError`.

    `lag` makes what knows how far the role is behind. `measures` go on beside it, on the loop.
    """
    if not port:
        yield
        return
    describe_process(registry, status.service.removeprefix("hopline-"))
    delay = LoopDelay(registry)
    with serving(port, status, registry), lag().measuring():
        beside = [asyncio.create_task(one()) for one in (status.beat, delay.measure, *measures)]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


class _Server(WSGIServer):
    """One request after the other: checks and scrapes are few. A caller that stalls is cut off."""

    def server_bind(self) -> None:
        """As the base class, but for asking the name service what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_CALLER_S)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that has gone is no matter of ours."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Not a line for each scrape."""


_CALLER_S = 2.0


def _app(status: Status, registry: CollectorRegistry) -> Callable[[Any, StartResponse], Iterable[bytes]]:
    metrics = make_wsgi_app(registry)
    checks = {"/health": status.live, "/health/detailed": status.ready}

    def app(environ: Any, start_response: StartResponse) -> Iterable[bytes]:
        check = checks.get(environ["PATH_INFO"])
        if check is None and environ["PATH_INFO"] == "/metrics":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        if check is None:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"here are /metrics, /health and /health/detailed\n"]
        fine, told = check()
        body = orjson.dumps(told)
        said = "200 OK" if fine else "503 Service Unavailable"
        start_response(said, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return app
