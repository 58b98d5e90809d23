"""What every request goes through: it is counted, may be refused for want of time, and gets an answer."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from ingress.drain import DRAIN
from ingress.errors import answer_to
from ingress.keys import BUDGET
from ingress.overload import OVERLOAD


@web.middleware
async def guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The one middleware: each is a coroutine more for each event."""
    app = request.app
    drain, overload = app[DRAIN], app[OVERLOAD]
    drain.begin()
    try:
        refusal = overload.refusal(request) if overload.refuses else None
        response = refusal or await handler(request)
    except Exception as raised:
        response = answer_to(request, raised)
    finally:
        app[BUDGET].give_back(request)
        drain.end()
    if drain.stopping:
        response.force_close()
    return response
