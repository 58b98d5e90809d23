"""`POST /triggers/plugin/{endpoint_id}`: what a provider sends to a subscription."""

import logging
import time
from http import HTTPStatus

from aiohttp import web

from ingress.deliveries import (
    DeliveryAccepted,
    accept_all,
    captured_headers,
    limit_endpoint,
    read_delivery,
    refusals,
)
from ingress.errors import Gone, MethodNotAllowed, NotFound, Problem, Unavailable
from ingress.express.request import EventRequest
from ingress.express.response import Ready
from ingress.keys import FEED, SECRETS
from ingress.operation import EVENTS, Operation
from ingress.subscriptions.agreeing import tell
from ingress.subscriptions.places import base_url
from ingress.timing import counted
from schemas.models import TriggerSubscription
from schemas.models.subscription import SubscriptionStatus
from schemas.plugins.contract import Dispatch, TriggerPlugin
from schemas.plugins.errors import fault_of
from schemas.plugins.opening import opened
from schemas.plugins.received import received
from schemas.plugins.registry import find_plugin
from schemas.secrets import SecretUnreadable
from schemas.triggers.delivery import Delivery, NotBelieved, NotUnderstood

_log = logging.getLogger(__name__)

_CONFIGURATION_RETRY_S = 60
_SETTING_UP_RETRY_S = 5


class _Fault(Problem):
    """Of the plugin."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


@counted
async def receive(request: EventRequest) -> Ready | web.Response:
    """Verified and read by the plugin; answers once every event is durable: 202, or as the plugin says."""
    subscription = request.app[FEED].definitions.subscriptions.at(request.match_info["endpoint_id"])
    if subscription is None:
        raise NotFound("no subscription has this address; it may have been deleted")
    limit_endpoint(request, subscription.endpoint_id)
    if subscription.is_expired(time.time()):
        raise Gone("the subscription has expired, and could not be renewed")
    plugin = _plugin_of(subscription)
    if request.method not in plugin.methods:
        raise MethodNotAllowed(request.method, plugin.methods)
    delivery = await read_delivery(request)
    with refusals():
        dispatch = _dispatch(request, plugin, subscription, delivery)
        kept = captured_headers(delivery)
        shown = {name: value for name, value in kept.items() if name not in plugin.secret_headers}
        found = received(subscription, dispatch, shown)
    answer = await accept_all(request, delivery, found)
    if dispatch.renew:
        await tell(request, subscription, "RENEW", {})
    return answer


def _plugin_of(subscription: TriggerSubscription) -> TriggerPlugin:
    plugin = find_plugin(subscription.provider_id)
    if plugin is None:
        _log.error(
            "subscription %s: no plugin for %s is installed", subscription.id, subscription.provider_id
        )
        raise Unavailable("the plugin of this subscription is not installed here", _CONFIGURATION_RETRY_S)
    return plugin


def _dispatch(
    request: EventRequest, plugin: TriggerPlugin, subscription: TriggerSubscription, delivery: Delivery
) -> Dispatch:
    box = request.app[SECRETS]
    if box is None:
        raise Unavailable("this deployment has no HOPLINE_SECRET_KEY", _CONFIGURATION_RETRY_S)
    pending = subscription.status is SubscriptionStatus.PENDING
    try:
        dispatch = plugin.receive(delivery, opened(plugin, subscription, box, base_url(request)))
    except SecretUnreadable as unreadable:
        _log.error("subscription %s refuses everything: its secrets are %s", subscription.id, unreadable)
        raise Unavailable(
            "the secrets of this subscription cannot be read; its operator must set HOPLINE_SECRET_KEY to "
            "the key that they were stored under",
            _CONFIGURATION_RETRY_S,
        ) from unreadable
    except Exception as error:
        if isinstance(error, NotBelieved | NotUnderstood) and not pending:
            raise
        if not pending:
            _log.error("subscription %s: %s", subscription.id, fault_of(error))
            raise _Fault("a fault of the plugin; the log of the server has its place") from None
        raise _setting_up() from error
    # Until the provider has agreed there is no secret that an event could prove itself with.
    if pending and (dispatch.events or dispatch.reply is None):
        raise _setting_up()
    return dispatch


def _setting_up() -> Unavailable:
    return Unavailable("the subscription is being set up; send it again", _SETTING_UP_RETRY_S)


OPERATIONS = (
    Operation(
        method="*",
        path="/triggers/plugin/{endpoint_id}",
        door=receive,
        summary="Send events to a plugin subscription",
        tag=EVENTS,
        body="*/*",
        answer=DeliveryAccepted,
        status=202,
        also=200,
        errors=(400, 401, 404, 405, 410, 413, 429),
        public=True,
    ),
)
