"""`/api/v1/oauth/{provider}`: a user authorizes a subscription (RFC 6749 section 4.1, RFC 7636)."""

import time
from urllib.parse import quote

from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import Conflict, Malformed, NotFound, Problem
from ingress.keys import EGRESS, TURNS
from ingress.oauth.page import is_for_people, page
from ingress.oauth.state import LIFETIME_S, AuthorizationState, opened_state
from ingress.operation import Operation, Query
from ingress.responses import json_answer
from ingress.subscriptions.agreeing import keep, needed_box, needed_plugin, provider_errors, subscribe
from ingress.subscriptions.places import base_url
from ingress.subscriptions.views import index_of
from ingress.wire import Answer
from schemas.ids import new_id
from schemas.models import TriggerSubscription, utc_now
from schemas.models.subscription import SubscriptionStatus
from schemas.plugins.contract import TriggerPlugin
from schemas.plugins.credentials import CredentialType
from schemas.plugins.opening import sealed_credentials
from schemas.plugins.registry import find_plugin
from transport.oauth import authorization_url, exchange, new_verifier
from transport.plugin_http import PluginHttp

_PATH = "/api/v1/oauth/{provider}"
_SHOWN_CHARS = 200


class Authorization(Answer):
    """Beside the redirect, for callers that do not follow it."""

    authorize_url: str
    """Where the user agrees, in a browser."""
    expires_in_s: int


async def authorize(request: web.Request) -> web.Response:
    """302 to where the user of a subscription agrees, for the first time or again."""
    plugin, index = needed_plugin(request.match_info["provider"]), index_of(request)
    subscription = index.get(request.query.get("subscription_id", ""))
    if (
        subscription is None
        or subscription.tenant_id != request[CALLER].tenant_id
        or subscription.provider_id != plugin.provider_id
    ):
        raise NotFound(f"subscription_id names no subscription to {plugin.provider_id}")
    if subscription.credential_type is not CredentialType.OAUTH:
        raise Conflict("the subscription has an API key, and needs no authorization")
    url = authorization(request, plugin, subscription)
    body = Authorization(authorize_url=url, expires_in_s=LIFETIME_S)
    if request.query.get("redirect") == "false":
        return json_answer(body, headers={"Cache-Control": "no-store"})
    return json_answer(body, 302, {"Location": url, "Cache-Control": "no-store"})


def authorization(request: web.Request, plugin: TriggerPlugin, subscription: TriggerSubscription) -> str:
    """URL where the user agrees. Raises `Conflict` where Hopline is not known to the provider."""
    box = needed_box(request)
    client = index_of(request).client_for(subscription.tenant_id, plugin.plugin_id, plugin.provider)
    if client is None:
        raise Conflict(
            f"there is no OAuth client for {plugin.provider_id}: register one with the provider, with the "
            f"redirect URI {redirect_uri(request, plugin)}, and PUT it to "
            f"/api/v1/oauth/tenant-clients/{plugin.provider}"
        )
    state = AuthorizationState(
        tenant_id=subscription.tenant_id,
        caller=request[CALLER].name,
        subscription_id=subscription.id,
        credentials_id=subscription.credentials_id,
        provider_id=plugin.provider_id,
        client_id=client.id,
        redirect_uri=redirect_uri(request, plugin),
        verifier=new_verifier(),
        until_s=time.time() + LIFETIME_S,
    )
    with provider_errors():
        params = client.params(box)
    return authorization_url(params, state.redirect_uri, state.sealed(box), state.verifier)


def redirect_uri(request: web.Request, plugin: TriggerPlugin) -> str:
    """What the client must be registered with at the provider."""
    alone = find_plugin(plugin.provider) is plugin
    name = plugin.provider if alone else quote(plugin.provider_id, safe="")
    return f"{base_url(request)}/api/v1/oauth/{name}/callback"


async def callback(request: web.Request) -> web.Response:
    """The provider sends the user back here: the code becomes a token, and the subscription is made. A
    browser gets a page, also where that is refused."""
    try:
        await _authorized(request)
    except Problem as refused:
        if not is_for_people(request):
            raise
        why = f"{refused.detail[:1].upper()}{refused.detail[1:]}."
        answer = page("Not authorized", why, refused.status)
        answer.headers.update(refused.headers)
        return answer
    return page("Authorized", "The subscription is in use now. You can close this window.")


async def _authorized(request: web.Request) -> None:
    """Raises `Problem`."""
    plugin, box = needed_plugin(request.match_info["provider"]), needed_box(request)
    state = opened_state(request.query.get("state", ""), box, time.time())
    if state is None or state.provider_id != plugin.provider_id:
        raise Malformed("the state is none that was made here, or is older than ten minutes; begin again")
    _check_granted(request)
    async with request.app[TURNS].of(state.subscription_id):
        await _exchange(request, plugin, state)


async def _exchange(request: web.Request, plugin: TriggerPlugin, state: AuthorizationState) -> None:
    """Raises `Problem`."""
    subscription, box = _awaiting(request, state), needed_box(request)
    client = index_of(request).oauth_clients.get(state.client_id)
    if client is None:
        raise Conflict("the OAuth client has been deleted meanwhile; begin again")
    http = PluginHttp(request.app[EGRESS])
    with provider_errors():
        token = await exchange(
            http, client.params(box), request.query["code"], state.redirect_uri, state.verifier, time.time()
        )
    update = {
        "credentials": sealed_credentials(token.credentials, box, subscription.tenant_id),
        "credential_expires_at": token.expires_at,
        "credentials_id": new_id(),
        "oauth_client_id": client.id,
        "updated_at": utc_now(),
        "updated_by": state.caller,
    }
    # Kept at once: a code is good for one token.
    authorized = subscription.model_copy(update=update)
    await keep(request, authorized)
    if authorized.status is SubscriptionStatus.PENDING:
        await subscribe(request, plugin, authorized)


def _check_granted(request: web.Request) -> None:
    """Section 4.1.2.1."""
    if error := request.query.get("error"):
        described = request.query.get("error_description", "")
        said = f"{error[:_SHOWN_CHARS]} {described[:_SHOWN_CHARS]}".strip()
        raise Malformed(f"the provider has not authorized the subscription: {said}")
    if not request.query.get("code"):
        raise Malformed("the provider has sent no code")


def _awaiting(request: web.Request, state: AuthorizationState) -> TriggerSubscription:
    found = index_of(request).agreed(state.subscription_id)
    if found is None or found.tenant_id != state.tenant_id:
        raise NotFound("the subscription has been deleted meanwhile")
    if found.credentials_id != state.credentials_id:
        raise Conflict("this authorization has been used; begin again for another one")
    return found


OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH + "/authorize",
        handler=authorize,
        summary="Send the user of a subscription to authorize it",
        tag="oauth",
        answer=Authorization,
        status=302,
        # Whoever agrees gives the subscription an account of theirs: it is changed by this.
        permission="admin",
        query=(
            Query("subscription_id", "of the subscription"),
            Query("redirect", "false answers 200, and the URL in the body alone", "boolean"),
        ),
        errors=(404, 409, 422),
    ),
    Operation(
        method="GET",
        path=_PATH + "/callback",
        handler=callback,
        summary="Take a user back from the provider",
        tag="oauth",
        answer="text/html",
        query=(
            Query("code", "from the provider"),
            Query("state", "as it was sent to the provider"),
            Query("error", "why the provider has not authorized it"),
        ),
        errors=(400, 404, 409, 422),
        public=True,
    ),
)
