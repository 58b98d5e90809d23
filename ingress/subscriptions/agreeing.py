"""What is asked of a provider, and what is kept of it: where one is made, changed or authorized."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import web

from ingress.errors import Conflict, Unavailable, Unprocessable
from ingress.express.request import EventRequest
from ingress.keys import CODEC, EGRESS, PRODUCER, SECRETS, STORE
from ingress.subscriptions.places import base_url
from schemas.ids import new_id
from schemas.models import TriggerSubscription, utc_now
from schemas.models.subscription import SubscriptionStatus
from schemas.plugins.contract import OpenSubscription, TriggerPlugin
from schemas.plugins.errors import ProviderError, ProviderRefused, fault_of
from schemas.plugins.http import Http
from schemas.plugins.opening import opened, sealed_properties, secrets_of
from schemas.plugins.registry import find_plugin, plugins
from schemas.secrets import SecretBox, SecretUnreadable
from transport.errors import TransportError
from transport.plugin_http import DiscreetHttp, PluginHttp
from transport.subscriptions import SUBSCRIPTIONS, subscription_command

_log = logging.getLogger(__name__)

_RETRY_S = 10
_CONFIGURATION_RETRY_S = 60


def needed_box(request: web.Request) -> SecretBox:
    """Raises `Conflict` where the deployment has no key."""
    box = request.app[SECRETS]
    if box is None:
        raise Conflict("this deployment cannot store secrets; its operator must set HOPLINE_SECRET_KEY")
    return box


def needed_plugin(name: str) -> TriggerPlugin:
    """By provider_id or the last part of it. Raises `Unprocessable`."""
    plugin = find_plugin(name)
    if plugin is None:
        why = f"no plugin for {name!r} is installed; there are {', '.join(plugins()) or 'none'}"
        row = {"node": None, "field": "provider", "why": why}
        raise Unprocessable("the provider is not known", errors=[row])
    return plugin


@contextmanager
def provider_errors() -> Iterator[None]:
    """What a provider says, as `Unprocessable` or `Unavailable`; likewise secrets that cannot be read."""
    try:
        yield
    except SecretUnreadable as unreadable:
        raise Unavailable(
            "a secret for this cannot be read: its operator must set HOPLINE_SECRET_KEY to the key that "
            "it was stored under, or it must be stored again",
            _CONFIGURATION_RETRY_S,
        ) from unreadable
    except ProviderRefused as refused:
        raise Unprocessable(str(refused), errors=[]) from refused
    except ProviderError as error:
        raise Unavailable(str(error), _RETRY_S) from error


async def subscribe(
    request: web.Request, plugin: TriggerPlugin, subscription: TriggerSubscription
) -> TriggerSubscription:
    """The subscription as the provider has agreed to it, kept. Raises `Unprocessable`, `Unavailable`.

    It must be kept already: the provider may send to its endpoint before it answers.
    """
    box = needed_box(request)
    with provider_errors(), _faults(subscription):
        agreed = await plugin.subscribe(*_asking(request, plugin, subscription, box))
    update = {
        "properties": sealed_properties(plugin, agreed.properties, box, subscription.tenant_id),
        "expires_at": agreed.expires_at,
        "agreement_id": new_id(),
        "status": SubscriptionStatus.ACTIVE,
        "updated_at": utc_now(),
    }
    after = subscription.model_copy(update=update)
    try:
        await keep(request, after)
    except (TransportError, TimeoutError):
        # Nobody would ever know of it.
        with suppress(ProviderError, Unprocessable, Unavailable):
            await unsubscribe(request, plugin, after)
        raise
    return after


async def unsubscribe(request: web.Request, plugin: TriggerPlugin, subscription: TriggerSubscription) -> None:
    """The provider sends nothing more. Raises `Unprocessable`, `Unavailable`."""
    box = needed_box(request)
    with provider_errors(), _faults(subscription):
        await plugin.unsubscribe(*_asking(request, plugin, subscription, box))


async def keep(request: web.Request, subscription: TriggerSubscription) -> None:
    """Durable, seen by this process, and told to the worker that keeps it alive. Twice is as good as once.

    The worker is told first. If this process dies in between, everybody sees that it is not done; the
    other way round a subscription that looks well would end with its first token.
    """
    if subscription.status is SubscriptionStatus.ACTIVE:
        await tell(request, subscription, "SET", subscription.model_dump(mode="json"))
    await request.app[STORE].put(SUBSCRIPTIONS, subscription)


async def tell(
    request: EventRequest, subscription: TriggerSubscription, kind: str, payload: dict[str, Any]
) -> None:
    """Returns when the command is durable. Raises `SendFailed`."""
    send = subscription_command(request.app[CODEC], subscription, kind, payload, time.time())
    await request.app[PRODUCER].send(send)


def _asking(
    request: web.Request, plugin: TriggerPlugin, subscription: TriggerSubscription, box: SecretBox
) -> tuple[Http, OpenSubscription]:
    """What the plugin asks the provider with. Raises as `opened`."""
    now = opened(plugin, subscription, box, base_url(request))
    return DiscreetHttp(PluginHttp(request.app[EGRESS]), secrets_of(plugin, now)), now


@contextmanager
def _faults(subscription: TriggerSubscription) -> Iterator[None]:
    try:
        yield
    except (ProviderError, SecretUnreadable):
        raise
    except Exception as error:
        _log.error("subscription %s: %s", subscription.id, fault_of(error))
        raise ProviderRefused(f"a fault of the plugin: {type(error).__name__}") from None
