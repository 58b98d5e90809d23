"""What becomes of a subscription: pure functions from a row and a time, or an outcome, to the row after."""

import hashlib
from dataclasses import replace
from typing import Any

from schemas.models.subscription import SubscriptionState, TriggerSubscription
from streams.subscriptions.rows import Lease, SubscriptionRow, What

LEASE_S = 120.0
"""Longer than an attempt can take: two requests of 30 s, and the way of its outcome."""

_CREDENTIALS = {"credentials_id", "credentials", "credential_expires_at"}
_AGREEMENT = {"agreement_id", "properties", "expires_at"}

_FIRST_RETRY_S, _LAST_RETRY_S = 30.0, 3600.0

_NOTHING_TO_REFRESH_WITH = (
    "the token has expired, and the server gave none to refresh it with; authorize it again"
)
_MAY_BE_LOST = "the answer to an earlier attempt is lost, and may have had the token that follows this one"


def install(before: SubscriptionRow | None, agreed: TriggerSubscription, now_s: float) -> SubscriptionRow:
    """A subscription that is new, or has changed: what has become of it stays, as far as it is not given or
    agreed on anew."""
    fresh = SubscriptionState(
        **agreed.model_dump(include={"id", "tenant_id", *_CREDENTIALS, *_AGREEMENT}),
        created_at=agreed.updated_at,
        updated_at=agreed.updated_at,
    )
    if before is None:
        return SubscriptionRow(agreed, fresh, token_from_s=now_s, renewed_from_s=now_s)
    row = replace(before, subscription=agreed)
    if before.state.credentials_id != agreed.credentials_id:
        row = _anew(row, "token", fresh.model_dump(include={*_CREDENTIALS, "needs_authorization"}))
        row = replace(row, token_from_s=now_s, interrupted=False)
    if before.state.agreement_id != agreed.agreement_id:
        row = _anew(row, "renewal", fresh.model_dump(include=_AGREEMENT))
        row = replace(row, renewed_from_s=now_s)
    return row


def leased(row: SubscriptionRow, holder: str, now_s: float) -> SubscriptionRow:
    """With an attempt that `holder` is to make; without one where none can help.

    Only for a row that is due, and has no lease that goes on.
    """
    # The provider wants a good token to put off an end.
    what: What = "token" if row.token_due_s <= now_s else "renewal"
    if what == "token" and "refresh_token" not in row.state.credentials:
        return replace(
            row, lease=None, state=_changed(row, error=_NOTHING_TO_REFRESH_WITH, needs_authorization=True)
        )
    attempt = row.attempts + 1
    lease = Lease(attempt, what, holder, now_s + LEASE_S)
    interrupted = row.interrupted or (row.lease is not None and row.lease.what == "token")
    return replace(row, attempts=attempt, lease=lease, interrupted=interrupted)


def with_token(row: SubscriptionRow, outcome: dict[str, Any], now_s: float) -> SubscriptionRow:
    """A token has come. Also that of an attempt that was given up counts, while no later one has come."""
    state = _refreshed(
        row,
        now_s,
        credentials=outcome["credentials"],
        credential_expires_at=outcome["credential_expires_at"],
    )
    return replace(_settled(row, outcome, state), token_from_s=now_s, interrupted=False)


def with_renewal(row: SubscriptionRow, outcome: dict[str, Any], now_s: float) -> SubscriptionRow:
    """Its end has been put off."""
    state = _refreshed(row, now_s, properties=outcome["properties"], expires_at=outcome["expires_at"])
    return replace(_settled(row, outcome, state), renewed_from_s=now_s, renewal_asked=False)


def with_failure(row: SubscriptionRow, outcome: dict[str, Any], now_s: float) -> SubscriptionRow:
    """The attempt under way has failed: another one later, unless none can help."""
    failures, error = row.state.failures + 1, outcome["error"]
    if outcome["hopeless"] and row.interrupted:
        error = f"{error}; {_MAY_BE_LOST}"
    state = _changed(
        row,
        failures=failures,
        error=error,
        retry_at=None if outcome["hopeless"] else int(now_s + _pause_s(row, failures)),
        needs_authorization=outcome["hopeless"],
    )
    failed = row.lease.what if row.lease else None
    interrupted = row.interrupted or (failed == "token" and outcome["unanswered"])
    return replace(_settled(row, outcome, state), failed=failed, interrupted=interrupted)


def _anew(row: SubscriptionRow, what: What, taken: dict[str, Any]) -> SubscriptionRow:
    """Whoever is at work on what was before works for nothing."""
    fine = {"failures": 0, "error": None, "retry_at": None}
    lease = None if row.lease is not None and row.lease.what == what else row.lease
    return replace(row, state=_changed(row, **taken, **fine), lease=lease, failed=None)


def counts(row: SubscriptionRow, kind: str, outcome: dict[str, Any]) -> bool:
    """Whether the outcome still says something about the row."""
    if outcome["attempt"] <= row.settled:
        return False
    if kind == "TOKEN":
        return bool(outcome["credentials_id"] == row.subscription.credentials_id)
    if kind == "RENEWED":
        return bool(outcome["agreement_id"] == row.subscription.agreement_id)
    # A failure of an attempt that was given up says nothing: another one is on its way.
    return row.lease is not None and row.lease.attempt == outcome["attempt"]


def _settled(row: SubscriptionRow, outcome: dict[str, Any], state: SubscriptionState) -> SubscriptionRow:
    return replace(row, state=state, lease=None, failed=None, settled=max(row.settled, outcome["attempt"]))


def _refreshed(row: SubscriptionRow, now_s: float, **changes: Any) -> SubscriptionState:
    fine = {"failures": 0, "error": None, "retry_at": None, "needs_authorization": False}
    return _changed(row, **fine, refreshed_at=int(now_s), **changes)


def _changed(row: SubscriptionRow, **changes: Any) -> SubscriptionState:
    return row.state.model_copy(update=changes)


def _pause_s(row: SubscriptionRow, failures: int) -> float:
    """Twice as long each time; spread by up to a quarter, so that not all are tried together."""
    most: float = min(_FIRST_RETRY_S * 2.0 ** min(failures - 1, 16), _LAST_RETRY_S)
    drawn = hashlib.sha256(f"{row.subscription.id}/{failures}".encode()).digest()[0] / 255
    return most * (1.0 - drawn / 4)
