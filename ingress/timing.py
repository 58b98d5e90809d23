"""Counts and times what the API answers. Doors for events count what they accept and refuse instead."""

from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from time import perf_counter

from aiohttp import web

from ingress.errors import Problem, Unavailable, Unprocessable
from ingress.keys import METRICS
from schemas.errors import InvalidDefinition
from transport.errors import TransportError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def timed(tag: str, handler: Handler) -> Handler:
    """The handler of an operation with this tag. A stream is counted when it is over, and not timed: how long
    it takes says how long somebody has listened."""

    @wraps(handler)
    async def time(request: web.Request) -> web.StreamResponse:
        metrics, began = request.app[METRICS], perf_counter()
        try:
            answer = await handler(request)
        except Exception as raised:
            metrics.answered(tag, status_of(raised), perf_counter() - began)
            raise
        seconds = perf_counter() - began if isinstance(answer, web.Response) else None
        metrics.answered(tag, answer.status, seconds)
        return answer

    return time


def status_of(raised: Exception) -> int:
    """Of the answer that `ingress.errors.problems` makes of it."""
    match raised:
        case Problem() | web.HTTPException():
            return raised.status
        case InvalidDefinition():
            return Unprocessable.status
        case TransportError() | TimeoutError():
            return Unavailable.status
    return HTTPStatus.INTERNAL_SERVER_ERROR
