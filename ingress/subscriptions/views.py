"""Finds subscriptions, and shows them."""

import time

from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import NotFound
from ingress.keys import FEED
from ingress.responses import json_answer
from ingress.subscriptions.bodies import SubscriptionView
from ingress.subscriptions.places import base_url
from schemas.models import TriggerSubscription
from schemas.triggers.plugin import PluginConfig
from transport.subscriptions import SubscriptionIndex

PATH = "/api/v1/subscriptions"

_OF_STATE = {"failures", "error", "retry_at", "refreshed_at", "needs_authorization"}
_OWN = {"status", "credential_expires_at", "expires_at", "user_id", "created_at", "updated_at"}


def index_of(request: web.Request) -> SubscriptionIndex:
    """As this process has read it."""
    return request.app[FEED].definitions.subscriptions


def named(request: web.Request) -> TriggerSubscription:
    """The one in the path, as it is now. Raises `NotFound`."""
    subscription_id = request.match_info["subscription_id"]
    found = index_of(request).get(subscription_id)
    if found is None or found.tenant_id != request[CALLER].tenant_id:
        raise NotFound(f"no subscription has the id {subscription_id}; GET {PATH} lists them")
    return found


def workflows_of(request: web.Request, subscription: TriggerSubscription) -> set[str]:
    """Ids of the workflows that a trigger starts by its events."""
    definitions = request.app[FEED].definitions
    routed = definitions.route(subscription.tenant_id, PluginConfig.type, subscription.id)
    return {deployed.trigger.workflow_id for deployed in routed}


def view(request: web.Request, subscription: TriggerSubscription) -> SubscriptionView:
    """Without secrets, with what has become of it."""
    state = index_of(request).states.get(subscription.id)
    current = state is not None and state.credentials_id == subscription.credentials_id
    shown = subscription.to_api_entity(base_url(request), len(workflows_of(request, subscription)))
    return SubscriptionView.model_validate(
        {
            **shown.model_dump(),
            **subscription.model_dump(include=_OWN),
            "expired": subscription.is_expired(time.time()),
            "credential_expired": subscription.is_credential_expired(),
            **(state.model_dump(include=_OF_STATE) if state is not None and current else {}),
        }
    )


def created(
    request: web.Request, subscription: TriggerSubscription, authorize_url: str | None
) -> web.Response:
    """201."""
    shown = view(request, subscription)
    shown.authorize_url = authorize_url
    return json_answer(shown, 201, {"Location": f"{PATH}/{subscription.id}"})
