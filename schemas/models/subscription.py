"""What a tenant has subscribed to at a provider of events, through a plugin. Source: the seed."""

import time
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.models.entity import Entity
from schemas.plugins.credentials import NEVER, CredentialType
from schemas.secrets import SecretBox

MASK = "********"

_BUFFER_S = 180
"""A credential counts as expired this long before it is."""


class SubscriptionStatus(StrEnum):
    """PENDING: its user has not authorized it yet, or the provider has not been asked."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"


class Subscription(BaseModel):
    """What a plugin agreed on with its provider."""

    model_config = ConfigDict(frozen=True)

    expires_at: int
    endpoint: str
    parameters: dict[str, Any]
    properties: dict[str, Any]


class TriggerProviderSubscriptionApiEntity(BaseModel):
    """A subscription as clients are shown it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    name: str
    provider: str
    endpoint: str
    """Where the provider sends to."""
    parameters: dict[str, Any]
    properties: dict[str, Any]
    """What the provider has said; secrets masked."""
    credential_type: CredentialType
    credentials: dict[str, Any]
    """Masked."""
    workflows_in_use: int
    """Workflows that a trigger starts by its events; -1 where nobody has counted."""


class SubscriptionState(Entity):
    """What has become of a subscription since it was agreed on: its id is the subscription's.

    Written by the worker that keeps the subscription alive, and by nobody else: a change that its user makes
    and a token that is refreshed at the same moment are two records, and neither overwrites the other.
    """

    credentials_id: str
    """What is here of credentials says something about those of that id only."""
    agreement_id: str
    """Likewise `properties` and `expires_at`."""
    credentials: dict[str, str] = Field(default_factory=dict)
    credential_expires_at: int = NEVER
    properties: dict[str, Any] = Field(default_factory=dict)
    expires_at: int = NEVER
    failures: int = 0
    """Attempts to refresh in a row that have failed."""
    error: str | None = None
    """Why the last of them did."""
    retry_at: int | None = None
    """When the next one is made; seconds since the epoch."""
    needs_authorization: bool = False
    """No attempt can help: its user must authorize it again."""
    refreshed_at: int | None = None


class TriggerSubscription(Entity):
    """Who sends which events where. Times are seconds since the epoch, -1 for never."""

    name: str = Field(min_length=1, max_length=255)
    user_id: str
    provider_id: str
    """plugin_id/provider, as `TriggerPlugin.provider_id`."""
    endpoint_id: str
    """Unique, and not to be guessed: the last part of the path that the provider sends to."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)
    """What the provider has said, such as the id under which it knows the subscription."""
    credentials: dict[str, str] = Field(default_factory=dict)
    """Encrypted for the tenant, but for `token_type` and `scope`."""
    credential_type: CredentialType
    credential_expires_at: int = NEVER
    expires_at: int = NEVER
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE
    credentials_id: str
    """New with each set of credentials that is given or authorized."""
    agreement_id: str
    """New each time that its user has the provider agree to it."""
    oauth_client_id: str = ""
    """Id of the OAuth client that the tokens were issued to: only it can refresh them."""

    def is_credential_expired(self, now_s: float | None = None) -> bool:
        """Whether its token is no good any more, or in less than 180 seconds."""
        if self.credential_expires_at == NEVER:
            return False
        return (self.credential_expires_at - _BUFFER_S) < int(time.time() if now_s is None else now_s)

    def is_expired(self, now_s: float) -> bool:
        """Whether the provider has stopped sending."""
        return self.expires_at != NEVER and self.expires_at <= now_s

    def to_entity(self, base_url: str) -> Subscription:
        """For the plugin. `base_url` is what the ingress is reached by."""
        return Subscription(
            expires_at=self.expires_at,
            endpoint=endpoint_url(base_url, self.endpoint_id),
            parameters=self.parameters,
            properties=self.properties,
        )

    def to_api_entity(
        self, base_url: str, workflows_in_use: int = -1
    ) -> TriggerProviderSubscriptionApiEntity:
        """For clients: without secrets."""
        return TriggerProviderSubscriptionApiEntity(
            id=self.id,
            name=self.name,
            provider=self.provider_id,
            endpoint=endpoint_url(base_url, self.endpoint_id),
            parameters=self.parameters,
            properties={name: _masked(value) for name, value in self.properties.items()},
            credential_type=self.credential_type,
            credentials=dict.fromkeys(self.credentials, MASK),
            workflows_in_use=workflows_in_use,
        )

    def since(self, state: SubscriptionState | None) -> "TriggerSubscription":
        """As it is now, given what has become of it."""
        if state is None:
            return self
        update: dict[str, Any] = {}
        if state.credentials_id == self.credentials_id:
            update |= state.model_dump(include={"credentials", "credential_expires_at"})
        if state.agreement_id == self.agreement_id:
            update |= state.model_dump(include={"properties", "expires_at"})
        return self.model_copy(update=update)


def endpoint_url(base_url: str, endpoint_id: str) -> str:
    """Where the provider sends to."""
    return f"{base_url.rstrip('/')}/triggers/plugin/{endpoint_id}"


def _masked(value: Any) -> Any:
    return MASK if isinstance(value, str) and SecretBox.is_encrypted(value) else value
