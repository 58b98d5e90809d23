"""Counts what doors for events refuse, and counts and times what the rest of the API answers."""

from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from time import perf_counter
from typing import TypeVar

from aiohttp import web

from ingress.errors import Problem, Unavailable, Unprocessable
from ingress.express.request import EventRequest
from ingress.keys import METRICS
from schemas.errors import InvalidDefinition
from transport.errors import TransportError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_R = TypeVar("_R", bound=EventRequest)
_A = TypeVar("_A")


def counted(door: Callable[[_R], Awaitable[_A]]) -> Callable[[_R], Awaitable[_A]]:
    """The door: what it does not accept is in the metrics."""

    @wraps(door)
    async def count(request: _R) -> _A:
        try:
            return await door(request)
        except Exception as raised:
            request.app[METRICS].refused.labels(str(status_of(raised))).inc()
            raise

    return count


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
    """Of the answer that `ingress.errors.answer_to` makes of it."""
    match raised:
        case Problem() | web.HTTPException():
            return raised.status
        case InvalidDefinition():
            return Unprocessable.status
        case TransportError() | TimeoutError():
            return Unavailable.status
    return HTTPStatus.INTERNAL_SERVER_ERROR
