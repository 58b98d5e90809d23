"""From what a plugin has found in a delivery to events that are fit to be accepted."""

from collections.abc import Mapping

from schemas.event_data import MOST_LEVELS
from schemas.ids import content_id
from schemas.models.subscription import TriggerSubscription
from schemas.plugins.contract import Dispatch, PluginEvent
from schemas.triggers.delivery import NotUnderstood, Received, ReceivedEvent
from schemas.triggers.plugin import PluginConfig

_CONTENT_WINDOW_S = 30.0
"""Equal content may be two events, unless one follows the other closely."""


def received(subscription: TriggerSubscription, dispatch: Dispatch, headers: Mapping[str, str]) -> Received:
    """Events of the subscription's tenant, with `headers` that may be kept. Raises `NotUnderstood`."""
    return Received(tuple(_event(subscription, event, headers) for event in dispatch.events), dispatch.reply)


def _event(
    subscription: TriggerSubscription, event: PluginEvent, headers: Mapping[str, str]
) -> ReceivedEvent:
    metadata = {
        "provider_id": subscription.provider_id,
        "endpoint_id": subscription.endpoint_id,
        "event_type": event.event_type,
        "subscription_id": subscription.id,
    }
    return ReceivedEvent(
        tenant_id=subscription.tenant_id,
        type=PluginConfig.type,
        index_key=subscription.id,
        event_type=event.event_type,
        source=event.source or f"/subscriptions/{subscription.id}",
        data={"type": "plugin", "metadata": metadata, "headers": dict(headers), "body": event.body},
        delivery_id=event.delivery_id or _content_name(event),
        window_s=None if event.delivery_id else _CONTENT_WINDOW_S,
        subject=event.subject,
    )


def _content_name(event: PluginEvent) -> str:
    """Each event of a delivery has its own."""
    try:
        return content_id([event.event_type, event.body])
    except TypeError as wrong:
        raise NotUnderstood(
            f"the event is nested too deeply; at most {MOST_LEVELS} levels are taken"
        ) from wrong
