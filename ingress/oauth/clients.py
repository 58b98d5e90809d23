"""`/api/v1/oauth/system-clients` and `…/tenant-clients`: what Hopline is known by to OAuth servers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import Field, ValidationError

from ingress.auth import CALLER
from ingress.confidants import kept_from
from ingress.errors import Forbidden, NotFound, Unprocessable, invalid
from ingress.keys import FEED, STORE, TURNS
from ingress.oauth.authorizing import redirect_uri
from ingress.operation import Operation
from ingress.responses import json_answer, read_model
from ingress.sealing import MASK
from ingress.subscriptions.agreeing import needed_box, needed_plugin, provider_errors
from ingress.wire import Answer, RequestBody
from schemas.models import DEFAULT_TENANT, TriggerOAuthSystemClient, TriggerOAuthTenantClient, utc_now
from schemas.models.oauth_client import SYSTEM_TENANT, OAuthClient, OAuthParams
from schemas.plugins.contract import TriggerPlugin
from schemas.plugins.credentials import ClientAuth
from schemas.plugins.registry import plugins
from schemas.secrets import SecretBox
from transport.subscriptions import OAUTH_SYSTEM_CLIENTS, OAUTH_TENANT_CLIENTS

_PATH = "/api/v1/oauth/"


class OAuthClientBody(RequestBody):
    """A client as it was registered with the provider. What is left out is as the plugin knows it."""

    client_id: str = Field(min_length=1)
    client_secret: str = ""
    """Encrypted, and masked when shown; the mask sent back keeps what is stored. A public client has none."""
    authorize_url: str | None = None
    token_url: str | None = None
    scopes: list[str] | None = None
    client_auth: ClientAuth | None = None
    """How the secret is shown to the server."""
    authorize_parameters: dict[str, str] | None = None
    """What the server wants besides when a user is sent there."""


class TenantClientBody(OAuthClientBody):
    """A tenant's own client."""

    enabled: bool = True
    """Whether new authorizations use it instead of the deployment's."""


class OAuthClientView(Answer):
    """A client as it is shown."""

    id: str
    provider: str
    client_id: str
    client_secret: str
    """Masked."""
    authorize_url: str
    token_url: str
    scopes: list[str]
    client_auth: ClientAuth
    authorize_parameters: dict[str, str]
    enabled: bool
    redirect_uri: str
    """What it must be registered with at the provider."""
    created_at: datetime
    updated_at: datetime


class OAuthClientList(Answer):
    """By provider."""

    data: list[OAuthClientView]


@dataclass(frozen=True)
class _Level:
    """The deployment's clients, or those of tenants."""

    name: str
    topic: str
    body: type[OAuthClientBody]
    tenant_of: Callable[[web.Request], str]
    """Whose they are. Raises `Forbidden`."""

    @property
    def path(self) -> str:
        return f"{_PATH}{self.name}-clients"

    async def put(self, request: web.Request) -> web.Response:
        """Creates or replaces the one for the provider."""
        tenant_id, plugin = self.tenant_of(request), needed_plugin(request.match_info["provider"])
        wanted, box = await read_model(request, self.body), needed_box(request)
        client_id = self._id(tenant_id, plugin)
        async with request.app[TURNS].of(client_id):
            stored = self._find(request, tenant_id, plugin)
            params = _params(plugin, wanted, wanted.client_secret)
            if params.client_secret == MASK:
                params = _with_stored(params, stored, box)
            caller = request[CALLER].name
            fields: dict[str, Any] = {
                "id": client_id,
                "tenant_id": tenant_id,
                "plugin_id": plugin.plugin_id,
                "provider": plugin.provider,
                "encrypted_oauth_params": box.encrypt(tenant_id, params.model_dump_json()),
                "updated_by": caller,
                "updated_at": utc_now(),
                "created_by": stored.created_by if stored else caller,
                "created_at": stored.created_at if stored else utc_now(),
            }
            client: OAuthClient = (
                TriggerOAuthTenantClient(**fields, enabled=wanted.enabled)
                if isinstance(wanted, TenantClientBody)
                else TriggerOAuthSystemClient(**fields)
            )
            await request.app[STORE].put(self.topic, client)
        return json_answer(_view(request, client, plugin))

    async def list_all(self, request: web.Request) -> web.Response:
        """Of the plugins that are installed."""
        tenant_id = self.tenant_of(request)
        found = [(self._find(request, tenant_id, plugin), plugin) for plugin in plugins().values()]
        return json_answer(
            OAuthClientList(data=[_view(request, client, plugin) for client, plugin in found if client])
        )

    async def show(self, request: web.Request) -> web.Response:
        """The one for the provider."""
        client, plugin = self._named(request)
        return json_answer(_view(request, client, plugin))

    async def delete(self, request: web.Request) -> web.Response:
        """Tokens that it was given can be refreshed no more; what has one says so when it is due."""
        async with request.app[TURNS].of(self._named(request)[0].id):
            client, _ = self._named(request)
            await request.app[STORE].delete(self.topic, client.key)
        return web.Response(status=204)

    def operations(self) -> tuple[Operation, ...]:
        """Four of them under `path`."""
        one = self.path + "/{provider}"
        named = (
            f"the OAuth client of the {'deployment' if self.name == 'system' else 'tenant'} for a provider"
        )

        def operation(method: str, path: str, handler: Any, summary: str, **rest: Any) -> Operation:
            return Operation(method=method, path=path, handler=handler, summary=summary, tag="oauth", **rest)

        shown: Mapping[str, Any] = {"answer": OAuthClientView}
        return (
            operation(
                "PUT", one, self.put, f"Set {named}", body=self.body, errors=(400, 403, 409, 422), **shown
            ),
            operation(
                "GET",
                self.path,
                self.list_all,
                f"List OAuth clients of the {self.name}",
                answer=OAuthClientList,
                errors=(403,),
            ),
            operation("GET", one, self.show, f"Show {named}", errors=(403, 404, 422), **shown),
            operation("DELETE", one, self.delete, f"Delete {named}", status=204, errors=(403, 404, 422)),
        )

    def _id(self, tenant_id: str, plugin: TriggerPlugin) -> str:
        if self.name == "system":
            return TriggerOAuthSystemClient.id_of(plugin.plugin_id, plugin.provider)
        return TriggerOAuthTenantClient.id_of(tenant_id, plugin.plugin_id, plugin.provider)

    def _find(self, request: web.Request, tenant_id: str, plugin: TriggerPlugin) -> OAuthClient | None:
        clients = request.app[FEED].definitions.subscriptions.oauth_clients
        return clients.get(self._id(tenant_id, plugin))

    def _named(self, request: web.Request) -> tuple[OAuthClient, TriggerPlugin]:
        plugin = needed_plugin(request.match_info["provider"])
        found = self._find(request, self.tenant_of(request), plugin)
        if found is None:
            raise NotFound(f"there is no such client for {plugin.provider_id}; GET {self.path} lists them")
        return found, plugin


def _params(plugin: TriggerPlugin, wanted: OAuthClientBody, secret: str) -> OAuthParams:
    known = plugin.oauth
    if known is None:
        row = {"node": None, "field": "provider", "why": f"{plugin.provider_id} takes no OAuth"}
        raise Unprocessable("there can be no client for it", errors=[row])
    given = wanted.model_dump(exclude_none=True, exclude={"enabled", "client_secret"})
    defaults = {
        "authorize_url": known.authorize_url,
        "token_url": known.token_url,
        "scopes": known.scopes,
        "client_auth": known.client_auth,
        "authorize_parameters": dict(known.authorize_parameters),
    }
    try:
        return OAuthParams.model_validate({**defaults, **given, "client_secret": secret})
    except ValidationError as wrong:
        raise invalid(wrong) from None  # its text has the secret


def _with_stored(params: OAuthParams, stored: OAuthClient | None, box: SecretBox) -> OAuthParams:
    """Raises `Unprocessable` where another server would be told the secret."""
    if stored is None:
        return params.model_copy(update={"client_secret": ""})
    with provider_errors():
        before = stored.params(box)
    if before.client_secret and before.token_url != params.token_url:
        raise kept_from("token_url", ["client_secret"])
    return params.model_copy(update={"client_secret": before.client_secret})


def _view(request: web.Request, client: OAuthClient, plugin: TriggerPlugin) -> OAuthClientView:
    with provider_errors():
        params = client.params(needed_box(request))
    shown = params.model_dump()
    shown["client_secret"] = MASK if params.client_secret else ""
    return OAuthClientView(
        **shown,
        id=client.id,
        provider=client.provider_id,
        enabled=client.enabled if isinstance(client, TriggerOAuthTenantClient) else True,
        redirect_uri=redirect_uri(request, plugin),
        created_at=client.created_at,
        updated_at=client.updated_at,
    )


def _operators(request: web.Request) -> str:
    """All tenants are known by the deployment's clients: only its operator decides on them."""
    if request[CALLER].tenant_id != DEFAULT_TENANT:
        raise Forbidden("the deployment's clients belong to its operator; a tenant may have its own")
    return SYSTEM_TENANT


def _callers(request: web.Request) -> str:
    return request[CALLER].tenant_id


_LEVELS = (
    _Level("system", OAUTH_SYSTEM_CLIENTS, OAuthClientBody, _operators),
    _Level("tenant", OAUTH_TENANT_CLIENTS, TenantClientBody, _callers),
)

OPERATIONS = tuple(operation for level in _LEVELS for operation in level.operations())
