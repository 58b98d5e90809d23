"""The bytes of a subscription in the table `subscriptions`: when it wants attention, and where it stands."""

import struct
from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from schemas.models.subscription import SubscriptionState, SubscriptionStatus, TriggerSubscription
from schemas.plugins.credentials import NEVER, CredentialType
from schemas.plugins.registry import find_plugin

BEFORE_S = 180
"""A token is refreshed this long before it expires, or in the middle of a shorter life."""

_LEAST_S = 1.0
"""Between two refreshes, whatever a server says."""

_HEAD = struct.Struct(">d")
_NEVER = float("inf")

What = Literal["token", "renewal"]


@dataclass(frozen=True, slots=True)
class Lease:
    """An attempt that somebody has begun, or is about to. Nobody begins another one before it is over."""

    attempt: int
    what: What
    holder: str
    """The process that makes it."""
    until_s: float
    """By then it has an outcome, or never will: its holder is dead."""


@dataclass(slots=True)
class SubscriptionRow:
    """One subscription. Times are seconds since the epoch."""

    subscription: TriggerSubscription
    """As it was agreed on."""
    state: SubscriptionState
    token_from_s: float
    """When its token was issued."""
    renewed_from_s: float
    """When its end was last put off."""
    attempts: int = 0
    settled: int = 0
    """The last attempt whose outcome is in `state`."""
    lease: Lease | None = None
    renewal_asked: bool = False
    """By its provider, whatever its end."""
    failed: What | None = None
    """What `state.retry_at` is about."""
    interrupted: bool = False
    """The answer to an attempt at its token is lost, with a worker that died or a connection that broke."""

    @property
    def token_due_s(self) -> float:
        """When its token wants to be refreshed."""
        return max(self._token_end_s, self._retry_s("token"))

    @property
    def renewal_due_s(self) -> float:
        """When its end wants to be put off."""
        return max(self._renewal_end_s, self._retry_s("renewal"))

    @property
    def _token_end_s(self) -> float:
        now = self.subscription.since(self.state)
        if now.credential_type is not CredentialType.OAUTH or now.credential_expires_at == NEVER:
            return _NEVER
        if "refresh_token" not in now.credentials:
            return now.credential_expires_at
        return _before(now.credential_expires_at, self.token_from_s, BEFORE_S)

    @property
    def _renewal_end_s(self) -> float:
        now = self.subscription.since(self.state)
        plugin = find_plugin(now.provider_id)
        if plugin is None or not plugin.renews:
            return _NEVER
        if self.renewal_asked:
            return 0.0
        if now.expires_at == NEVER:
            return _NEVER
        return _before(now.expires_at, self.renewed_from_s, plugin.renew_before_s)

    def attempt_key(self, lease: Lease) -> str:
        """The same for an attempt that is made again because the worker died with the one before: the outcome
        of that is not known."""
        return f"{self.subscription.id}/{lease.what}/{self.settled + 1}"

    def due_s(self) -> float:
        """When it wants attention."""
        if self.subscription.status is not SubscriptionStatus.ACTIVE or self.state.needs_authorization:
            return _NEVER
        if self.lease is not None:
            return 0.0
        return min(self.token_due_s, self.renewal_due_s)

    def _retry_s(self, what: What) -> float:
        return float(self.state.retry_at or 0) if self.failed == what else 0.0

    def encode(self) -> bytes:
        """The time first, so that it is read without the rest."""
        body: dict[str, Any] = {
            "subscription": self.subscription.model_dump(mode="json"),
            "state": self.state.model_dump(mode="json"),
            "token_from_s": self.token_from_s,
            "renewed_from_s": self.renewed_from_s,
            "attempts": self.attempts,
            "settled": self.settled,
            "lease": asdict(self.lease) if self.lease else None,
            "renewal_asked": self.renewal_asked,
            "failed": self.failed,
            "interrupted": self.interrupted,
        }
        return _HEAD.pack(self.due_s()) + orjson.dumps(body)

    @classmethod
    def decode(cls, row: bytes) -> "SubscriptionRow":
        """The inverse of `encode`."""
        body = orjson.loads(row[_HEAD.size :])
        lease = body.pop("lease")
        return cls(
            subscription=TriggerSubscription.model_validate(body.pop("subscription")),
            state=SubscriptionState.model_validate(body.pop("state")),
            lease=Lease(**lease) if lease else None,
            **body,
        )


def row_due(_key: str, row: bytes) -> float | None:
    """Unix seconds; None for one that waits for nothing."""
    due_s: float = _HEAD.unpack_from(row)[0]
    return None if due_s == _NEVER else due_s


def _before(end_s: float, from_s: float, margin_s: float) -> float:
    """`margin_s` before the end, but in the middle of a life that is shorter than twice that."""
    due = end_s - min(margin_s, (end_s - from_s) / 2)
    return max(due, from_s + _LEAST_S)
