"""Spans of API requests, where somebody collects traces. Doors for events have theirs from the history."""

import asyncio
from collections.abc import AsyncIterator
from functools import wraps

from aiohttp import web

from ingress.auth import CALLER
from ingress.keys import SETTINGS
from ingress.timing import Handler, status_of
from transport.telemetry.requests import RequestSpans
from transport.telemetry.sampling import Sampler

SPANS = web.AppKey("spans", RequestSpans)


def traced(route: str, handler: Handler) -> Handler:
    """The handler of a route, which has got a span. That of a stream lasts as long as somebody listens."""

    @wraps(handler)
    async def trace(request: web.Request) -> web.StreamResponse:
        spans = request.app[SPANS]
        # Not the query: what is searched for is the tenant's own, and signatures travel there.
        told = {
            "url.path": request.path,
            "url.scheme": request.scheme,
            "client.address": request.remote,
            "user_agent.original": request.headers.get("User-Agent"),
        }
        span = spans.begin(request.method, route, request.headers, told)
        status, error = None, None
        try:
            answer = await handler(request)
            status = answer.status
            return answer
        except BaseException as raised:
            error = type(raised).__name__
            status = status_of(raised) if isinstance(raised, Exception) else None
            raise
        finally:
            if (caller := request.get(CALLER)) is not None:
                span.set_attribute("hopline.tenant.id", caller.tenant_id)
            spans.end(span, status, error)

    return trace


async def tracing(app: web.Application) -> AsyncIterator[None]:
    """For the `cleanup_ctx` of an application with such handlers."""
    sampling = app[SETTINGS].sampling
    spans = app[SPANS] = RequestSpans("hopline-ingress", Sampler(sampling.name, sampling.ratio))
    yield
    await asyncio.to_thread(spans.close)
