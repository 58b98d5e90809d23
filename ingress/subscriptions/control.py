"""`/api/v1/subscriptions`: what a tenant is sent by providers."""

from typing import Any

from aiohttp import web
from pydantic import ValidationError

from ingress.auth import CALLER
from ingress.confidants import kept_from
from ingress.errors import Conflict, Unavailable, Unprocessable, invalid
from ingress.keys import SETTINGS, STORE, TURNS
from ingress.oauth.authorizing import authorization
from ingress.operation import Operation, Query
from ingress.responses import json_answer, read_model
from ingress.subscriptions.agreeing import (
    keep,
    needed_box,
    needed_plugin,
    subscribe,
    tell,
    unsubscribe,
)
from ingress.subscriptions.bodies import (
    NewSubscription,
    SubscriptionChange,
    SubscriptionList,
    SubscriptionView,
)
from ingress.subscriptions.views import PATH, created, index_of, named, view, workflows_of
from schemas.ids import endpoint_id, new_id
from schemas.models import TriggerSubscription, utc_now
from schemas.models.subscription import SubscriptionStatus
from schemas.plugins.contract import PluginModel, TriggerPlugin
from schemas.plugins.credentials import CredentialType
from schemas.plugins.opening import sealed_credentials
from schemas.plugins.registry import find_plugin
from transport.subscriptions import SUBSCRIPTIONS


async def create(request: web.Request) -> web.Response:
    """201 once the provider has agreed; with OAuth 201 with the URL where its user does."""
    wanted = await read_model(request, NewSubscription)
    plugin = needed_plugin(wanted.provider)
    caller, box = request[CALLER], needed_box(request)
    _check_room(request, wanted.name)
    parameters = _validated(plugin.Parameters, wanted.parameters, "parameters")
    kind = wanted.credential_type or (CredentialType.API_KEY if wanted.credentials else CredentialType.OAUTH)
    credentials = _credentials(plugin, kind, wanted.credentials)
    subscription = TriggerSubscription(
        id=new_id(),
        tenant_id=caller.tenant_id,
        name=wanted.name,
        user_id=caller.name,
        provider_id=plugin.provider_id,
        endpoint_id=endpoint_id(),
        parameters=parameters,
        credentials=sealed_credentials(credentials, box, caller.tenant_id),
        credential_type=kind,
        status=SubscriptionStatus.PENDING,
        credentials_id=new_id(),
        agreement_id=new_id(),
        created_by=caller.name,
        updated_by=caller.name,
    )
    if kind is CredentialType.OAUTH:
        url = authorization(request, plugin, subscription)
        await keep(request, subscription)
        return created(request, subscription, url)
    await request.app[STORE].put(SUBSCRIPTIONS, subscription)
    try:
        subscription = await subscribe(request, plugin, subscription)
    except (Unprocessable, Unavailable):
        await request.app[STORE].delete(SUBSCRIPTIONS, subscription.key)
        raise
    return created(request, subscription, None)


async def list_all(request: web.Request) -> web.Response:
    """Of the caller's tenant, of one provider where one is named."""
    index, tenant_id = index_of(request), request[CALLER].tenant_id
    found = index.of_tenant(tenant_id)
    if provider := request.query.get("provider"):
        plugin = find_plugin(provider)
        found = index.of_provider(tenant_id, plugin.provider_id if plugin else provider)
    return json_answer(SubscriptionList(data=[view(request, one) for one in found]))


async def show(request: web.Request) -> web.Response:
    """One of them, by its id."""
    return json_answer(view(request, named(request)))


async def change(request: web.Request) -> web.Response:
    """Its name at once; parameters and API key once the provider has agreed to them."""
    wanted = await read_model(request, SubscriptionChange)
    async with request.app[TURNS].of(named(request).id):
        return await _change(request, wanted, named(request))


async def _change(request: web.Request, wanted: SubscriptionChange, now: TriggerSubscription) -> web.Response:
    update: dict[str, Any] = {"updated_at": utc_now(), "updated_by": request[CALLER].name}
    if wanted.name is not None and wanted.name != now.name:
        _check_name(request, wanted.name)
        update["name"] = wanted.name
    plugin = needed_plugin(now.provider_id)
    if wanted.parameters is not None:
        update["parameters"] = _validated(plugin.Parameters, wanted.parameters, "parameters")
        if wanted.credentials is None and now.credentials:
            _check_places(now, update["parameters"])
    if wanted.credentials is not None:
        if now.credential_type is CredentialType.OAUTH:
            raise Conflict("its token comes by authorizing it: GET /api/v1/oauth/{provider}/authorize")
        given = _credentials(plugin, now.credential_type, wanted.credentials)
        update["credentials"] = sealed_credentials(given, needed_box(request), now.tenant_id)
        update["credentials_id"] = new_id()
    anew = wanted.credentials is not None or update.get("parameters", now.parameters) != now.parameters
    # Made of what was agreed on: what a worker has refreshed meanwhile is no part of it.
    agreed = index_of(request).agreed(now.id) or now
    if not anew or now.status is SubscriptionStatus.PENDING:
        changed = agreed.model_copy(update=update)
        await keep(request, changed)
        return json_answer(view(request, changed))
    return await _agree_anew(request, plugin, now, agreed.model_copy(update=update))


async def _agree_anew(
    request: web.Request, plugin: TriggerPlugin, before: TriggerSubscription, wanted: TriggerSubscription
) -> web.Response:
    """The new one first: an event may come twice, and is dropped once, but none is missed."""
    # The provider wants the token of today, whatever was agreed on.
    token = (
        before.model_dump(include={"credentials"}) if before.credentials_id == wanted.credentials_id else {}
    )
    with_token = await subscribe(request, plugin, wanted.model_copy(update=token))
    warnings = []
    try:
        await unsubscribe(request, plugin, before)
    except (Unprocessable, Unavailable) as failed:
        warnings.append(f"what was agreed on before could not be ended: {failed.detail}")
    shown = view(request, with_token)
    shown.warnings = warnings
    return json_answer(shown)


async def delete(request: web.Request) -> web.Response:
    """The provider is told, then its endpoint answers 404. `force` where the provider cannot be told."""
    async with request.app[TURNS].of(named(request).id):
        return await _delete(request, named(request))


async def _delete(request: web.Request, found: TriggerSubscription) -> web.Response:
    force = request.query.get("force") in ("true", "1", "")
    users = workflows_of(request, found)
    if users and not force:
        raise Conflict(
            f"{len(users)} workflow(s) start by its events; delete their triggers, or send force=true"
        )
    plugin = find_plugin(found.provider_id)
    if plugin is None and not force:
        raise Conflict("its plugin is not installed here, so the provider cannot be told; send force=true")
    if plugin is not None and found.status is SubscriptionStatus.ACTIVE:
        try:
            await unsubscribe(request, plugin, found)
        except (Unprocessable, Unavailable):
            if not force:
                raise
    await tell(request, found, "REMOVE", {})
    await request.app[STORE].delete(SUBSCRIPTIONS, found.key)
    return web.Response(status=204)


def _check_places(now: TriggerSubscription, parameters: dict[str, Any]) -> None:
    """Raises `Unprocessable` where the credentials that are stored would go to another server."""
    before = now.parameters
    moved = [
        name for name, value in parameters.items() if _is_url(value) and value != before.get(name, value)
    ]
    if moved:
        raise kept_from(", ".join(moved), ["credentials"])


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.lower().startswith(("http://", "https://"))


def _validated(model: type[PluginModel], given: dict[str, Any], within: str) -> dict[str, Any]:
    try:
        return model.model_validate(given).model_dump(mode="json")
    except ValidationError as wrong:
        raise invalid(wrong, within) from None  # its text has what was given, a secret perhaps


def _credentials(plugin: TriggerPlugin, kind: CredentialType, given: dict[str, str]) -> dict[str, str]:
    if kind is CredentialType.OAUTH:
        if plugin.oauth is None:
            raise _no(f"{plugin.provider_id} takes an API key, and no OAuth")
        if given:
            raise _no("with oauth they come from the provider, once its user has authorized it")
        return {}
    if plugin.Keys is None:
        raise _no(f"{plugin.provider_id} takes OAuth, and no API key")
    checked = _validated(plugin.Keys, dict(given), "credentials")
    return {name: value for name, value in checked.items() if value}


def _no(why: str) -> Unprocessable:
    row = {"node": None, "field": "credentials", "why": why}
    return Unprocessable("the credentials are not as they should be", errors=[row])


def _check_room(request: web.Request, name: str) -> None:
    most = request.app[SETTINGS].subscriptions_per_tenant
    if len(index_of(request).of_tenant(request[CALLER].tenant_id)) >= most:
        raise Conflict(f"a tenant may have {most} subscriptions (HOPLINE_SUBSCRIPTIONS_PER_TENANT)")
    _check_name(request, name)


def _check_name(request: web.Request, name: str) -> None:
    known = index_of(request).of_tenant(request[CALLER].tenant_id)
    if any(one.name == name for one in known):
        raise Conflict(f"subscription {name!r} exists")


def _operation(method: str, path: str, handler: Any, summary: str, **rest: Any) -> Operation:
    rest = {"answer": SubscriptionView, "errors": (404,), **rest}
    return Operation(
        method=method, path=PATH + path, handler=handler, summary=summary, tag="subscriptions", **rest
    )


_ONE = "/{subscription_id}"

OPERATIONS = (
    _operation(
        "POST",
        "",
        create,
        "Subscribe to a provider",
        body=NewSubscription,
        status=201,
        errors=(400, 409, 422),
    ),
    _operation(
        "GET",
        "",
        list_all,
        "List subscriptions",
        answer=SubscriptionList,
        query=(Query("provider", "only those at this provider"),),
        errors=(),
    ),
    _operation("GET", _ONE, show, "Show a subscription"),
    _operation(
        "PATCH",
        _ONE,
        change,
        "Change a subscription",
        body=SubscriptionChange,
        errors=(400, 404, 409, 422),
    ),
    _operation(
        "DELETE",
        _ONE,
        delete,
        "End a subscription",
        answer=None,
        status=204,
        query=(Query("force", "also where workflows use it, or the provider cannot be told", "boolean"),),
        errors=(404, 409, 422),
    ),
)
