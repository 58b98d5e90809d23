"""`/api/v1/api-keys`: bearer tokens of the control plane."""

import secrets
from datetime import datetime

from aiohttp import web
from pydantic import Field

from ingress.auth import CALLER
from ingress.errors import NotFound
from ingress.keys import FEED, STORE
from ingress.operation import Operation
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody
from schemas.ids import new_id
from schemas.models import PERMISSIONS, ApiKey, Permission, utc_now
from transport.definitions import API_KEYS

_PATH = "/api/v1/api-keys"
_PREFIX = "hop_"
_TOKEN_BYTES = 24


class NewApiKey(RequestBody):
    """A key to be created."""

    name: str = Field(min_length=1, max_length=100)
    """Whom it is for: `initiated_by` of what is started with it."""
    permissions: list[Permission] = Field(default=list(PERMISSIONS), min_length=1)
    """What it may: `read` shows, `run` starts, answers and stops runs, `admin` changes what is configured."""


class ApiKeyView(Answer):
    """A key as it is shown."""

    id: str
    name: str
    permissions: list[Permission]
    created_by: str | None
    created_at: datetime


class CreatedApiKey(ApiKeyView):
    """The only answer that ever has the token."""

    token: str


class ApiKeyList(Answer):
    """Those that have not been revoked, the oldest first."""

    data: list[ApiKeyView]


async def create(request: web.Request) -> web.Response:
    """201 with the token, which is not kept."""
    wanted = await read_model(request, NewApiKey)
    caller = request[CALLER]
    token = _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    key = ApiKey(
        id=new_id(),
        tenant_id=caller.tenant_id,
        name=wanted.name,
        sha256=ApiKey.digest(token),
        permissions=tuple(dict.fromkeys(wanted.permissions)),
        created_by=caller.name,
        updated_by=caller.name,
    )
    await request.app[STORE].put(API_KEYS, key)
    return json_answer(CreatedApiKey(**_view(key).model_dump(), token=token), 201)


async def list_all(request: web.Request) -> web.Response:
    """Of the caller's tenant."""
    keys = sorted(_own_keys(request), key=lambda key: key.created_at)
    return json_answer(ApiKeyList(data=[_view(key) for key in keys]))


async def revoke(request: web.Request) -> web.Response:
    """It is refused from now on, by every ingress as soon as it has read the change."""
    key_id = request.match_info["key_id"]
    key = next((key for key in _own_keys(request) if key.id == key_id), None)
    if key is None:
        raise NotFound(f"no API key has the id {key_id}, or it has been revoked already")
    update = {"revoked": True, "updated_at": utc_now(), "updated_by": request[CALLER].name}
    await request.app[STORE].put(API_KEYS, key.model_copy(update=update))
    return web.Response(status=204)


def _own_keys(request: web.Request) -> list[ApiKey]:
    tenant_id = request[CALLER].tenant_id
    return [k for k in request.app[FEED].definitions.api_keys.values() if k.tenant_id == tenant_id]


def _view(key: ApiKey) -> ApiKeyView:
    return ApiKeyView.model_validate(key, from_attributes=True)


OPERATIONS = (
    Operation(
        method="POST",
        path=_PATH,
        handler=create,
        summary="Create an API key",
        tag="api-keys",
        body=NewApiKey,
        answer=CreatedApiKey,
        status=201,
        errors=(400, 422),
    ),
    Operation(
        method="GET", path=_PATH, handler=list_all, summary="List API keys", tag="api-keys", answer=ApiKeyList
    ),
    Operation(
        method="DELETE",
        path=_PATH + "/{key_id}",
        handler=revoke,
        summary="Revoke an API key",
        tag="api-keys",
        status=204,
        errors=(404,),
    ),
)
