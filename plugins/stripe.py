"""Stripe: events of an account. Sources: Stripe's API reference (Webhook Endpoints), "Verify signatures"."""

from typing import Any, Self

import orjson
from pydantic import Field, model_validator

from schemas.plugins.contract import (
    Dispatch,
    OpenSubscription,
    PluginEvent,
    PluginModel,
    Subscribed,
    TriggerPlugin,
)
from schemas.plugins.errors import ProviderRefused
from schemas.plugins.http import Http
from schemas.triggers.delivery import Delivery, NotUnderstood
from schemas.triggers.signatures import StripeVerifier


class StripeParameters(PluginModel):
    """Which events are sent."""

    enabled_events: tuple[str, ...] = Field(default=("*",), min_length=1)
    """Types of events, such as `invoice.paid`; `*` is all of them."""
    api_version: str | None = None
    """Of the objects in the events; none: the account's."""
    api_url: str = Field(default="https://api.stripe.com", pattern=r"^https?://[^/]+$")


class StripeKeys(PluginModel):
    """One of them. With a key the endpoint is created and deleted at Stripe; one that was created there by
    hand is known by its signing secret alone."""

    api_key: str = Field(default="", repr=False)
    """Secret or restricted; it must be allowed to write webhook endpoints."""
    signing_secret: str = Field(default="", repr=False)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.api_key) == bool(self.signing_secret):
            raise ValueError("give either an api_key or a signing_secret")
        return self


class Stripe(TriggerPlugin):
    """`body` is the event as Stripe sends it: what it is about is `body.data.object`."""

    plugin_id = "hopline"
    provider = "stripe"
    description = "Events of a Stripe account: payments, invoices, subscriptions and the rest"
    Parameters = StripeParameters
    Keys = StripeKeys
    secret_properties = frozenset({"signing_secret"})

    def receive(self, delivery: Delivery, subscription: OpenSubscription) -> Dispatch:
        """See `TriggerPlugin.receive`."""
        secret = str(subscription.properties["signing_secret"])
        StripeVerifier((secret.encode(),)).verify(delivery.headers, delivery.body, delivery.received_s)
        event = _event(delivery.body)
        found = PluginEvent(
            event_type=event["type"],
            body=event,
            delivery_id=event["id"],
            source=f"https://stripe.com/{event.get('account') or ''}",
            subject=_subject(event),
        )
        return Dispatch((found,))

    async def subscribe(self, http: Http, subscription: OpenSubscription) -> Subscribed:
        """See `TriggerPlugin.subscribe`."""
        if given := subscription.credentials.get("signing_secret"):
            return Subscribed({"signing_secret": given})
        form = {"url": subscription.endpoint, "description": f"Hopline subscription {subscription.id}"}
        wanted: StripeParameters = subscription.parameters
        form |= {f"enabled_events[{n}]": event for n, event in enumerate(wanted.enabled_events)}
        if wanted.api_version:
            form["api_version"] = wanted.api_version
        reply = await http("POST", _endpoints(subscription), headers=_authorization(subscription), form=form)
        made = reply.checked("creating the webhook endpoint").json()
        if not made.get("secret"):
            raise ProviderRefused("Stripe has created a webhook endpoint and not said its secret")
        return Subscribed({"webhook_endpoint_id": made["id"], "signing_secret": made["secret"]})

    async def unsubscribe(self, http: Http, subscription: OpenSubscription) -> None:
        """See `TriggerPlugin.unsubscribe`."""
        if endpoint_id := subscription.properties.get("webhook_endpoint_id"):
            url = f"{_endpoints(subscription)}/{endpoint_id}"
            reply = await http("DELETE", url, headers=_authorization(subscription))
            reply.checked("deleting the webhook endpoint", missing_is_fine=True)


def _endpoints(subscription: OpenSubscription) -> str:
    return f"{subscription.parameters.api_url}/v1/webhook_endpoints"


def _authorization(subscription: OpenSubscription) -> dict[str, str]:
    return {"Authorization": f"Bearer {subscription.credentials['api_key']}"}


def _event(body: bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise NotUnderstood("the body is not JSON") from wrong
    if not (
        isinstance(event, dict) and isinstance(event.get("id"), str) and isinstance(event.get("type"), str)
    ):
        raise NotUnderstood("the body is no event of Stripe: it has no id and type")
    return event


def _subject(event: dict[str, Any]) -> str | None:
    found = event.get("data", {})
    named = found.get("object", {}) if isinstance(found, dict) else {}
    return str(named["id"]) if isinstance(named, dict) and "id" in named else None
