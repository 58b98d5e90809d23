"""`/api/v1/erasures`: the operator has the data of a tenant erased, and sees what has become of it."""

from datetime import datetime

from aiohttp import web
from pydantic import Field

from ingress.auth import CALLER
from ingress.errors import NotFound
from ingress.keys import FEED, STORE
from ingress.operation import Operation
from ingress.reading import history
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody
from schemas.ids import new_id
from schemas.models import TENANT_PATTERN, Erasure, ErasureStatus
from transport.definitions import ERASURES

_PATH = "/api/v1/erasures"


class NewErasure(RequestBody):
    """Whose data is to go."""

    tenant_id: str = Field(pattern=TENANT_PATTERN)
    reason: str = Field(default="", max_length=1000)
    """For whoever reads the list later. It is kept, so it should name nobody."""


class ErasureView(Answer):
    """One request."""

    id: str
    tenant_id: str
    status: ErasureStatus
    """RUNNING or COMPLETED."""
    reason: str
    step: str
    """What is being done."""
    before: datetime | None
    """All that was accepted before is gone. None while it goes on."""
    counts: dict[str, int]
    """What has been deleted: definitions, runs_stopped, objects, and rows by table."""
    error: str | None
    """Why it does not get on; it is tried again."""
    created_by: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class ErasureList(Answer):
    """The newest first."""

    data: list[ErasureView]


async def create(request: web.Request) -> web.Response:
    """From now on nobody can do anything for the tenant, until all is gone. 202 with the request; 200 with
    the one that is under way already. Only the operator may, by the key of the deployment (HOPLINE_API_KEY),
    or a token with the permission `operator`."""
    history(request)
    wanted = await read_model(request, NewErasure)
    for one in _all(request):
        if one.tenant_id == wanted.tenant_id and one.status is ErasureStatus.RUNNING:
            return json_answer(_view(one))
    name = request[CALLER].name
    erasure = Erasure(
        id=new_id(), tenant_id=wanted.tenant_id, reason=wanted.reason, created_by=name, updated_by=name
    )
    await request.app[STORE].put(ERASURES, erasure)
    return json_answer(_view(erasure), 202)


async def list_all(request: web.Request) -> web.Response:
    """Those that are under way, and all there have been."""
    newest_first = sorted(_all(request), key=lambda one: one.created_at, reverse=True)
    return json_answer(ErasureList(data=[_view(one) for one in newest_first]))


async def show(request: web.Request) -> web.Response:
    """One, with what has been deleted so far."""
    erasure_id = request.match_info["erasure_id"]
    found = request.app[FEED].definitions.erasures.get(erasure_id)
    if found is None:
        raise NotFound(f"no erasure has the id {erasure_id}; GET {_PATH} lists them")
    return json_answer(_view(found))


def _all(request: web.Request) -> list[Erasure]:
    return list(request.app[FEED].definitions.erasures.values())


def _view(erasure: Erasure) -> ErasureView:
    return ErasureView.model_validate(erasure, from_attributes=True)


OPERATIONS = (
    Operation(
        method="POST",
        path=_PATH,
        handler=create,
        summary="Erase the data of a tenant",
        tag="erasures",
        body=NewErasure,
        answer=ErasureView,
        status=202,
        also=200,
        operator=True,
        errors=(400, 422),
    ),
    Operation(
        method="GET",
        path=_PATH,
        handler=list_all,
        summary="List erasures",
        tag="erasures",
        answer=ErasureList,
        operator=True,
    ),
    Operation(
        method="GET",
        path=_PATH + "/{erasure_id}",
        handler=show,
        summary="Show an erasure",
        tag="erasures",
        answer=ErasureView,
        operator=True,
        errors=(404,),
    ),
)
