"""Subscriptions, what has become of them, and OAuth clients, indexed for the hot path."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, TypeVar

import orjson

from schemas.codec import Codec
from schemas.models import Entity
from schemas.models.oauth_client import OAuthClient, TriggerOAuthSystemClient, TriggerOAuthTenantClient
from schemas.models.subscription import SubscriptionState, TriggerSubscription
from transport.producer import Send

_K = TypeVar("_K", bound=Hashable)

SUBSCRIPTIONS = "definitions.subscriptions"
SUBSCRIPTION_STATES = "definitions.subscription_states"
OAUTH_SYSTEM_CLIENTS = "definitions.oauth_system_clients"
OAUTH_TENANT_CLIENTS = "definitions.oauth_tenant_clients"

SUBSCRIPTION_MODELS: dict[str, type[Entity]] = {
    SUBSCRIPTIONS: TriggerSubscription,
    SUBSCRIPTION_STATES: SubscriptionState,
    OAUTH_SYSTEM_CLIENTS: TriggerOAuthSystemClient,
    OAUTH_TENANT_CLIENTS: TriggerOAuthTenantClient,
}
"""The compacted topics that are read, and what their bodies are."""


class SubscriptionIndex:
    """As of the offsets that were read. Every look-up takes constant time, but for the lists."""

    def __init__(self) -> None:
        self.states: dict[str, SubscriptionState] = {}
        """By subscription id."""
        self.oauth_clients: dict[str, OAuthClient] = {}
        """By id, which is made of whose and for which provider it is."""
        self._agreed: dict[str, TriggerSubscription] = {}
        self._current: dict[str, TriggerSubscription] = {}
        self._endpoints: dict[str, TriggerSubscription] = {}
        self._by_provider: dict[tuple[str, str], dict[str, TriggerSubscription]] = defaultdict(dict)
        self._by_tenant: dict[str, dict[str, TriggerSubscription]] = defaultdict(dict)

    def get(self, subscription_id: str) -> TriggerSubscription | None:
        """As it is now, its refreshed tokens included."""
        return self._current.get(subscription_id)

    def agreed(self, subscription_id: str) -> TriggerSubscription | None:
        """As it was agreed on: what a change is made of, so that it overwrites no token."""
        return self._agreed.get(subscription_id)

    def at(self, endpoint_id: str) -> TriggerSubscription | None:
        """The one whose endpoint that is."""
        return self._endpoints.get(endpoint_id)

    def of_provider(self, tenant_id: str, provider_id: str) -> list[TriggerSubscription]:
        """The tenant's at that provider."""
        return list(self._by_provider.get((tenant_id, provider_id), {}).values())

    def of_tenant(self, tenant_id: str) -> list[TriggerSubscription]:
        """The oldest first."""
        return sorted(self._by_tenant.get(tenant_id, {}).values(), key=lambda one: one.created_at)

    def __iter__(self) -> Iterator[TriggerSubscription]:
        """All of them, as they are now."""
        return iter(self._current.values())

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._current)

    @property
    def failing(self) -> int:
        """How many could not be refreshed when that was tried last; looks at all."""
        states = (self.states.get(one.id) for one in self._current.values())
        return sum(state is not None and state.error is not None for state in states)

    def client_for(self, tenant_id: str, plugin_id: str, provider: str) -> OAuthClient | None:
        """What a new authorization goes through: the tenant's own client, if enabled, else the system's."""
        own = self.oauth_clients.get(TriggerOAuthTenantClient.id_of(tenant_id, plugin_id, provider))
        if isinstance(own, TriggerOAuthTenantClient) and own.enabled:
            return own
        return self.oauth_clients.get(TriggerOAuthSystemClient.id_of(plugin_id, provider))

    def apply(self, topic: str, key: str, entity: Entity | None) -> None:
        """Puts, replaces or (None) removes one entity of `SUBSCRIPTION_MODELS`."""
        if topic == SUBSCRIPTIONS:
            self._agreed.pop(key, None)
            if isinstance(entity, TriggerSubscription):
                self._agreed[key] = entity
        elif topic == SUBSCRIPTION_STATES:
            self.states.pop(key, None)
            if isinstance(entity, SubscriptionState):
                self.states[key] = entity
        else:
            self.oauth_clients.pop(key, None)
            if isinstance(entity, TriggerOAuthSystemClient | TriggerOAuthTenantClient):
                self.oauth_clients[key] = entity
            return
        self._index(key)

    def _index(self, key: str) -> None:
        before, agreed = self._current.pop(key, None), self._agreed.get(key)
        if before is not None:
            self._endpoints.pop(before.endpoint_id, None)
            _leave(self._by_provider, (before.tenant_id, before.provider_id), key)
            _leave(self._by_tenant, before.tenant_id, key)
        if agreed is not None:
            now = self._current[key] = agreed.since(self.states.get(key))
            self._endpoints[now.endpoint_id] = now
            self._by_provider[now.tenant_id, now.provider_id][key] = now
            self._by_tenant[now.tenant_id][key] = now


def _leave(where: dict[_K, dict[str, TriggerSubscription]], group: _K, subscription_id: str) -> None:
    del where[group][subscription_id]
    if not where[group]:
        del where[group]


def subscription_command(
    codec: Codec, subscription: TriggerSubscription, kind: str, payload: Mapping[str, Any], now_s: float
) -> Send:
    """What happens to a subscription, as a message."""
    record = {
        "subscription_id": subscription.id,
        "kind": kind,
        "tenant_id": subscription.tenant_id,
        "issued_at": int(now_s * 1e6),
        "payload": orjson.dumps(payload).decode(),
    }
    key = subscription.id.encode()
    return Send("subscription.commands", key, codec.encode("SubscriptionCommand", record))
