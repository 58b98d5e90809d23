"""Microsoft Graph: changes of mail, calendars, files, users and the rest.

Source: Microsoft Graph REST API v1.0, "subscription resource type", "Receive change notifications through
webhooks", "Reduce missing subscriptions and change notifications".
"""

import hmac
import secrets
import time
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from pydantic import Field

from schemas.plugins.contract import (
    Dispatch,
    OAuthDefaults,
    OpenSubscription,
    PluginEvent,
    PluginModel,
    Subscribed,
    TriggerPlugin,
)
from schemas.plugins.http import Http
from schemas.triggers.delivery import Delivery, NotBelieved, NotUnderstood, Reply

_STATE_BYTES = 32
_ACCEPTED = Reply(202)
_RENEWED_ON = frozenset({"reauthorizationRequired", "subscriptionRemoved"})
"""Renewing authorizes it again, and makes anew what was removed."""


class GraphParameters(PluginModel):
    """What is watched."""

    resource: str = Field(min_length=1)
    """Path of the resource: `me/mailFolders('inbox')/messages`, `me/events`, `users`."""
    changes: tuple[Literal["created", "updated", "deleted"], ...] = Field(min_length=1)
    lifetime_minutes: int = Field(default=4230, ge=45, le=43_200)
    """Of a subscription before it is renewed; the most depends on the resource: 4230 for mail and events."""
    api_url: str = Field(default="https://graph.microsoft.com/v1.0", pattern=r"^https?://[^/]+")


class MicrosoftGraph(TriggerPlugin):
    """`body` is one notification: `resource`, `changeType`, `resourceData` with the id of what has changed.
    The type of an event is its `changeType`; of one about the subscription itself its `lifecycleEvent`."""

    plugin_id = "hopline"
    provider = "microsoft_graph"
    description = "Changes of mail, calendars, files and users in Microsoft 365"
    Parameters = GraphParameters
    oauth = OAuthDefaults(
        authorize_url="https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        token_url="https://login.microsoftonline.com/common/oauth2/v2.0/token",  # noqa: S106 - where they come from
        scopes=("offline_access", "Mail.Read"),
        client_auth="client_secret_post",
    )
    secret_properties = frozenset({"client_state"})
    renew_before_s = 1800

    def receive(self, delivery: Delivery, subscription: OpenSubscription) -> Dispatch:
        """See `TriggerPlugin.receive`. Graph first asks whether the endpoint is ours, before it agrees."""
        if token := delivery.query.get("validationToken"):
            return Dispatch(reply=Reply(200, str(token).encode(), "text/plain"))
        expected = str(subscription.properties.get("client_state") or "")
        notifications = _notifications(delivery.body)
        for one in notifications:
            given = str(one.get("clientState") or "")
            if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
                raise NotBelieved("clientState is not that of the subscription")
        lifecycle = {str(one.get("lifecycleEvent")) for one in notifications}
        return Dispatch(tuple(map(_event, notifications)), _ACCEPTED, renew=bool(lifecycle & _RENEWED_ON))

    async def subscribe(self, http: Http, subscription: OpenSubscription) -> Subscribed:
        """See `TriggerPlugin.subscribe`."""
        wanted: GraphParameters = subscription.parameters
        state = secrets.token_urlsafe(_STATE_BYTES)
        body = {
            "changeType": ",".join(wanted.changes),
            "notificationUrl": subscription.endpoint,
            "lifecycleNotificationUrl": subscription.endpoint,
            "resource": wanted.resource,
            "expirationDateTime": _end(wanted),
            "clientState": state,
        }
        url = f"{wanted.api_url}/subscriptions"
        reply = await http("POST", url, headers=_authorization(subscription), json=body)
        made = reply.checked("creating the subscription").json()
        properties = {"subscription_id": made["id"], "client_state": state}
        return Subscribed(properties, _seconds(made["expirationDateTime"]))

    async def unsubscribe(self, http: Http, subscription: OpenSubscription) -> None:
        """See `TriggerPlugin.unsubscribe`."""
        if subscription.properties.get("subscription_id"):
            reply = await http("DELETE", _url(subscription), headers=_authorization(subscription))
            reply.checked("deleting the subscription", missing_is_fine=True)

    async def refresh(self, http: Http, subscription: OpenSubscription) -> Subscribed:
        """See `TriggerPlugin.refresh`. One that Graph has removed is made anew."""
        body = {"expirationDateTime": _end(subscription.parameters)}
        reply = await http("PATCH", _url(subscription), headers=_authorization(subscription), json=body)
        if reply.status == 404:
            return await self.subscribe(http, subscription)
        renewed = reply.checked("renewing the subscription").json()
        return Subscribed(dict(subscription.properties), _seconds(renewed["expirationDateTime"]))


def _url(subscription: OpenSubscription) -> str:
    return f"{subscription.parameters.api_url}/subscriptions/{subscription.properties['subscription_id']}"


def _authorization(subscription: OpenSubscription) -> dict[str, str]:
    return {"Authorization": f"Bearer {subscription.credentials['access_token']}"}


def _end(wanted: GraphParameters) -> str:
    end = datetime.fromtimestamp(time.time() + wanted.lifetime_minutes * 60, UTC)
    return end.strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(time_: str) -> int:
    """Graph has seven digits behind the second, of which Python reads six."""
    return int(datetime.fromisoformat(time_[:19] + "+00:00").timestamp())


def _notifications(body: bytes) -> list[dict[str, Any]]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise NotUnderstood("the body is not JSON") from wrong
    value = found.get("value") if isinstance(found, dict) else None
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise NotUnderstood("the body is no collection of change notifications")
    return value


def _event(notification: dict[str, Any]) -> PluginEvent:
    # Whoever knows it could send notifications: it goes no further.
    body = {name: value for name, value in notification.items() if name != "clientState"}
    return PluginEvent(
        event_type=str(body.get("lifecycleEvent") or body.get("changeType") or "unknown"),
        body=body,
        delivery_id=str(body["id"]) if body.get("id") else None,
        source=f"https://graph.microsoft.com/{body.get('tenantId') or ''}",
        subject=str(body["resource"]) if body.get("resource") else None,
    )
