"""Makes attempts to refresh: requests beside the stage, each outcome a command of its subscription."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from schemas.codec import Codec
from schemas.models.subscription import TriggerSubscription
from schemas.plugins.contract import Subscribed
from schemas.plugins.credentials import NEVER
from schemas.plugins.errors import ProviderError, ProviderRefused, Unanswered, fault_of
from schemas.plugins.http import Http
from schemas.plugins.opening import (
    opened,
    opened_texts,
    sealed_credentials,
    sealed_properties,
    secrets_of,
)
from schemas.plugins.registry import find_plugin
from schemas.secrets import SecretBox, SecretUnreadable
from streams.insisting import Sender, insist
from streams.subscriptions.rows import Lease
from transport.oauth import GrantRefused, refresh
from transport.plugin_http import DiscreetHttp, KeyedHttp
from transport.subscriptions import SubscriptionIndex, subscription_command

_log = logging.getLogger(__name__)

_AT_ONCE = 50
"""A deployment that comes back after a day must not call on a provider for all its tenants at once."""

_CLOSE_S = 10.0
"""How long an attempt that is under way may still take when the worker stops."""

Payload = dict[str, Any]


class Refresher:
    """One for a worker. `begin` is called on the loop's thread."""

    def __init__(
        self,
        http: Http,
        producer: Sender,
        codec: Codec,
        index: SubscriptionIndex,
        box: SecretBox | None,
        *,
        base_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`index` knows the OAuth clients; `base_url` is what the ingress is reached by, "" if unknown."""
        self._http = http
        self._producer = producer
        self._codec = codec
        self._index = index
        self._box = box
        self._base_url = base_url
        self._clock = clock
        self._begun: dict[str, int] = {}
        """Subscription id -> the last attempt."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """See `Attempts.room`."""
        return _AT_ONCE - len(self._tasks)

    def begin(self, subscription: TriggerSubscription, lease: Lease, key: str) -> None:
        """See `Attempts.begin`."""
        if self._begun.get(subscription.id, 0) >= lease.attempt:
            return
        self._begun[subscription.id] = lease.attempt
        task = asyncio.create_task(self._attempt(subscription, lease, KeyedHttp(self._http, key)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Lets what is under way end, for a while: a reply that nobody hears may be a token that is lost."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            if late:
                _log.warning("%d attempts were cut off; their subscriptions are looked at again", len(late))

    async def _attempt(self, subscription: TriggerSubscription, lease: Lease, http: Http) -> None:
        kind, outcome = await self._outcome(subscription, lease, http)
        if kind == "FAILED":
            _log.warning("subscription %s (%r): %s", subscription.id, subscription.name, outcome["error"])
        ids = {"credentials_id": subscription.credentials_id, "agreement_id": subscription.agreement_id}
        await self._tell(subscription, kind, {**ids, "attempt": lease.attempt, **outcome})

    async def _outcome(
        self, subscription: TriggerSubscription, lease: Lease, http: Http
    ) -> tuple[str, Payload]:
        try:
            async with asyncio.timeout(lease.until_s - _CLOSE_S - self._clock()):
                if lease.what == "token":
                    return "TOKEN", await self._token(subscription, http)
                return "RENEWED", await self._renewal(subscription, http)
        except (ProviderError, SecretUnreadable) as error:
            return "FAILED", {
                "error": str(error),
                "hopeless": isinstance(error, GrantRefused),
                "unanswered": isinstance(error, Unanswered),
            }
        except TimeoutError:
            return "FAILED", {"error": "it takes too long", "hopeless": False, "unanswered": True}
        except Exception as error:
            _log.error("refreshing subscription %s: %s", subscription.id, fault_of(error))
            said = f"a fault of the plugin: {type(error).__name__}"
            return "FAILED", {"error": said, "hopeless": False, "unanswered": False}

    async def _token(self, subscription: TriggerSubscription, http: Http) -> Payload:
        box = self._needed()
        client = self._index.oauth_clients.get(subscription.oauth_client_id)
        if client is None:
            raise ProviderRefused("the OAuth client that it was authorized with is gone; authorize it again")
        credentials = opened_texts(subscription.credentials, box, subscription.tenant_id)
        token = await refresh(http, client.params(box), str(credentials["refresh_token"]), self._clock())
        return {
            "credentials": sealed_credentials(token.credentials, box, subscription.tenant_id),
            "credential_expires_at": token.expires_at,
        }

    async def _renewal(self, subscription: TriggerSubscription, http: Http) -> Payload:
        box, plugin = self._needed(), find_plugin(subscription.provider_id)
        if plugin is None:
            raise ProviderRefused(f"no plugin for {subscription.provider_id} is installed on this worker")
        now = opened(plugin, subscription, box, self._base_url)
        http = DiscreetHttp(http, secrets_of(plugin, now))
        if not subscription.is_expired(self._clock()):
            agreed: Subscribed = await plugin.refresh(http, now)
        elif self._base_url:
            # Nothing is left to be put off: a new one takes its place, under the same endpoint.
            agreed = await plugin.subscribe(http, now)
        else:
            raise ProviderRefused("it has expired; workers need HOPLINE_PUBLIC_URL to subscribe anew")
        if agreed.expires_at != NEVER and agreed.expires_at <= self._clock():
            raise ProviderRefused("the provider has set an end that is over")
        properties = sealed_properties(
            plugin, {**now.properties, **agreed.properties}, box, subscription.tenant_id
        )
        return {"properties": properties, "expires_at": agreed.expires_at}

    async def _tell(self, subscription: TriggerSubscription, kind: str, payload: Payload) -> None:
        send = subscription_command(self._codec, subscription, kind, payload, self._clock())
        await insist(self._producer, send, f"the outcome for subscription {subscription.id} is not sent")

    def _needed(self) -> SecretBox:
        if self._box is None:
            raise ProviderRefused("this worker needs HOPLINE_SECRET_KEY to read its credentials")
        return self._box
