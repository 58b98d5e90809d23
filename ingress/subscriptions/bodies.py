"""Subscriptions as they cross the wire."""

from datetime import datetime
from typing import Any

from pydantic import Field

from ingress.wire import Answer, RequestBody
from schemas.models.subscription import SubscriptionStatus, TriggerProviderSubscriptionApiEntity
from schemas.plugins.credentials import CredentialType


class NewSubscription(RequestBody):
    """A subscription to be made."""

    name: str = Field(min_length=1, max_length=255)
    """One in its tenant."""
    provider: str
    """Id of a provider, or the last part of it; GET /api/v1/plugins lists them."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """As the plugin describes them."""
    credential_type: CredentialType | None = None
    """Where it is left out: api_key with credentials, oauth without."""
    credentials: dict[str, str] = Field(default_factory=dict)
    """Of an API key. Encrypted at rest, masked when shown."""


class SubscriptionChange(RequestBody):
    """What is to be different; what is left out stays. Other parameters or another API key are agreed on anew
    with the provider, under the same endpoint."""

    name: str | None = Field(default=None, min_length=1, max_length=255)
    parameters: dict[str, Any] | None = None
    credentials: dict[str, str] | None = None


class SubscriptionView(TriggerProviderSubscriptionApiEntity):
    """A subscription as it is shown. Times are seconds since the epoch, -1 for never."""

    status: SubscriptionStatus
    """PENDING until its user has authorized it, and the provider has agreed."""
    expired: bool
    """Whether the provider has stopped sending: its endpoint answers 410."""
    credential_expired: bool
    """Whether its token is no good any more, or in less than three minutes: it is about to be refreshed."""
    credential_expires_at: int
    expires_at: int
    needs_authorization: bool = False
    """Its token is no good any more, and cannot be refreshed: authorize it again."""
    error: str | None = None
    """Why the last attempt to refresh failed, until one succeeds."""
    failures: int = 0
    """Attempts to refresh in a row that have failed."""
    retry_at: int | None = None
    refreshed_at: int | None = None
    authorize_url: str | None = None
    """Where its user agrees, in the answer to its creation: OAuth alone. Good for ten minutes."""
    warnings: list[str] = Field(default_factory=list)
    """What went wrong on the way, and was not in the way."""
    user_id: str
    created_at: datetime
    updated_at: datetime


class SubscriptionList(Answer):
    """Those that fit the filter, the oldest first."""

    data: list[SubscriptionView]
