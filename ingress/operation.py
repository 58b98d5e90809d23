"""One route of the HTTP interface, declared once: the router and the OpenAPI document are made from it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web
from pydantic import BaseModel

from ingress.auth import CALLER, Caller
from ingress.errors import Forbidden
from ingress.express.request import Door, EventRequest
from ingress.express.response import Ready
from ingress.keys import AUTHENTICATOR, FEED
from ingress.timing import Handler, timed
from schemas.models import Permission

ANY_METHOD = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
"""What a webhook may allow."""

EVENTS = "events"
"""The tag of doors for events."""

_API = "/api/v1/"


@dataclass(frozen=True)
class Query:
    """A parameter in the query string."""

    name: str
    description: str
    type: Literal["string", "integer", "boolean"] = "string"
    many: bool = False
    """Whether it may be given several times."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A method on a path."""

    method: str
    """`*` for any method: the handler decides."""
    path: str
    handler: Handler | None = None
    """None where there is a door."""
    door: Door | None = None
    """In its place where events come in. It finds out itself who is calling, and needs nothing of aiohttp for
    an event that has come whole."""
    summary: str
    tag: str
    body: type[BaseModel] | str | None = None
    """The model of a JSON body, or the media type of another one. Likewise `answer`."""
    answer: type[BaseModel] | str | None = None
    status: int = 200
    """Of the answer when all went well."""
    also: int | None = None
    """That of the same answer where there was nothing to do: it had been done before."""
    query: tuple[Query, ...] = ()
    errors: tuple[int, ...] = ()
    """Problem documents that it may answer with, besides 401 and 503."""
    public: bool = False
    """Whether it can be called without an API key."""
    operator: bool = False
    """Whether it is for whoever runs the deployment, and for no tenant."""
    permission: Permission | None = None
    """What the caller needs; None: `read` for a GET, else `admin`."""

    @property
    def needs(self) -> Permission:
        """What the caller needs."""
        return self.permission or ("read" if self.method == "GET" else "admin")


def add_routes(
    app: web.Application,
    operations: Iterable[Operation],
    traced: Callable[[str, Handler], Handler] | None = None,
) -> None:
    """Adds the routes; those that are not public find out first who is calling.

    `traced` is put around those of the API, given the route and the handler. None: nothing is.
    """
    for operation in operations:
        handler = _handler(operation)
        if traced is not None and operation.tag != EVENTS and operation.path.startswith(_API):
            handler = traced(operation.path, handler)
        app.router.add_route(operation.method, operation.path, handler)


async def admitted(request: EventRequest, needed: Permission) -> Caller:
    """Who is calling. Raises `Unauthenticated`, `Forbidden`, `Unavailable`."""
    caller = await request.app[AUTHENTICATOR].authenticate(request)
    check_tenant(request, caller)
    caller.check(needed)
    return caller


def check_tenant(request: EventRequest, caller: Caller) -> None:
    """Raises `Forbidden` while the caller's tenant is being erased."""
    if request.app[FEED].definitions.is_erased(caller.tenant_id):
        raise Forbidden("the data of this tenant is being erased")


def _handler(operation: Operation) -> Handler:
    if operation.door is not None:
        return _through(operation.door)
    assert operation.handler is not None, f"nobody answers {operation.path}"
    return operation.handler if operation.public else _authenticated(operation, operation.handler)


def _through(door: Door) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        answer = await door(request)
        return answer.response() if isinstance(answer, Ready) else answer

    return handle


def _authenticated(operation: Operation, handler: Handler) -> Handler:
    needed = operation.needs

    async def authenticate(request: web.Request) -> web.StreamResponse:
        if operation.operator:
            caller = await request.app[AUTHENTICATOR].authenticate(request)
            caller.check_operator()
        else:
            caller = await admitted(request, needed)
        request[CALLER] = caller
        return await handler(request)

    return authenticate if operation.tag == EVENTS else timed(operation.tag, authenticate)
