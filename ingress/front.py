"""What every request goes through: it is counted, may be refused for want of time, and gets an answer."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from ingress.drain import DRAIN
from ingress.errors import answer_to
from ingress.express.request import EventRequest
from ingress.keys import BUDGET
from ingress.overload import OVERLOAD

_R = TypeVar("_R", bound=EventRequest)
_A = TypeVar("_A")


async def answered(request: _R, handler: Callable[[_R], Awaitable[_A]]) -> _A | web.Response:
    """What the handler answers, or why it does not."""
    app = request.app
    drain, overload = app[DRAIN], app[OVERLOAD]
    drain.begin()
    try:
        refusal = overload.refusal(request) if overload.refuses else None
        return refusal or await handler(request)
    except Exception as raised:
        return answer_to(request, raised)
    finally:
        app[BUDGET].give_back(request)
        drain.end()


@web.middleware
async def guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The one middleware: each is a coroutine more for each event."""
    response = await answered(request, handler)
    if request.app[DRAIN].stopping:
        response.force_close()
    return response
