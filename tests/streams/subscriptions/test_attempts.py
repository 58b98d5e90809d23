"""Rows of subscriptions without requests: when they are due, and what outcomes count."""

from typing import Any

import pytest

from schemas.models.subscription import SubscriptionStatus
from schemas.plugins.credentials import CredentialType
from streams.subscriptions.attempts import counts, install, leased, with_failure, with_renewal, with_token
from streams.subscriptions.rows import SubscriptionRow, row_due
from tests.streams.subscriptions.partition import subscription

NOW = 1_800_000_000.0
NO_TOKEN: dict[str, Any] = {"credential_type": CredentialType.API_KEY, "credential_expires_at": -1}


def row(**changes: Any) -> SubscriptionRow:
    return install(None, subscription(**changes), NOW)


def due_in(row: SubscriptionRow) -> float | None:
    due = row_due("", row.encode())
    return None if due is None else due - NOW


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"credential_expires_at": NOW + 7200}, 7020),
        ({"credential_expires_at": NOW + 300}, 150),  # a token that lives for five minutes
        ({"credential_expires_at": NOW - 60}, 1),
        ({"credential_expires_at": -1}, None),
        ({"credential_expires_at": NOW + 7200, "status": SubscriptionStatus.PENDING}, None),
        ({"credential_expires_at": NOW + 7200, "token": {"access_token": "a"}}, 7200),
        (NO_TOKEN, None),
        ({**NO_TOKEN, "expires_at": NOW + 7200}, None),  # GitLab's do not expire
        ({**NO_TOKEN, "expires_at": NOW + 7200, "provider_id": "hopline/microsoft_graph"}, 5400),
        ({**NO_TOKEN, "expires_at": NOW + 600, "provider_id": "hopline/microsoft_graph"}, 300),
        ({**NO_TOKEN, "expires_at": NOW + 600, "provider_id": "nobody/knows"}, None),
    ],
)
def test_when_it_wants_attention(changes: dict[str, Any], due: float | None) -> None:
    assert due_in(row(**changes)) == due


def test_a_row_survives_its_bytes() -> None:
    found = leased(row(credential_expires_at=NOW + 100), "me", NOW + 99)
    assert SubscriptionRow.decode(found.encode()) == found
    assert due_in(found) == -NOW


def test_a_good_token_comes_before_a_later_end() -> None:
    both = row(
        credential_expires_at=int(NOW) + 100, expires_at=int(NOW) + 100, provider_id="hopline/microsoft_graph"
    )
    first = leased(both, "me", NOW + 99)
    assert first.lease is not None
    assert first.lease.what == "token"
    token = {"credentials": {"refresh_token": "x"}, "credential_expires_at": int(NOW) + 9999, "attempt": 1}
    second = leased(with_token(first, token, NOW + 100), "me", NOW + 100)
    assert second.lease is not None
    assert (second.lease.what, second.lease.attempt) == ("renewal", 2)
    end = {"properties": {"subscription_id": "s"}, "expires_at": int(NOW) + 9999, "attempt": 2}
    third = with_renewal(second, end, NOW + 101)
    assert third.lease is None
    assert third.subscription.since(third.state).properties == {"subscription_id": "s"}
    assert due_in(third) == 9999 - 1800


def failed(row: SubscriptionRow, at: float, **outcome: Any) -> SubscriptionRow:
    tried = leased(row, "me", at)
    assert tried.lease is not None
    told = {"error": "no", "hopeless": False, "unanswered": False, "attempt": tried.lease.attempt, **outcome}
    return with_failure(tried, told, at)


def test_it_is_tried_again_at_longer_and_longer_intervals() -> None:
    found, waits = row(credential_expires_at=int(NOW) + 300), []
    at = NOW + 150
    for _ in range(10):
        found = failed(found, at)
        due = due_in(found)
        assert due is not None
        waits.append(NOW + due - at)
        at = NOW + due
    most = [min(30 * 2**n, 3600) for n in range(10)]
    assert all(m * 0.75 - 1 <= wait <= m for wait, m in zip(waits, most, strict=True))
    assert found.state.failures == 10


def test_a_renewal_that_fails_keeps_no_token_from_being_refreshed() -> None:
    found = row(
        credential_expires_at=int(NOW) + 7200,
        expires_at=int(NOW) + 3600,
        provider_id="hopline/microsoft_graph",
    )
    at = NOW + 1800
    for _ in range(9):
        found = failed(found, at)
        at = NOW + (due_in(found) or 0)
        if at >= NOW + 7020:
            break
    assert due_in(found) == 7020
    tried = leased(found, "me", NOW + 7020)
    assert tried.lease is not None
    assert tried.lease.what == "token"


def test_an_attempt_that_is_made_again_has_the_same_key_until_its_outcome_is_known() -> None:
    def key(found: SubscriptionRow) -> str:
        assert found.lease is not None
        return found.attempt_key(found.lease)

    first = leased(row(credential_expires_at=int(NOW) + 100), "dead", NOW + 99)
    again = leased(first, "heir", NOW + 999)
    assert key(first) == key(again) == f"{first.subscription.id}/token/1"
    assert key(leased(failed(again, NOW + 1000), "heir", NOW + 2000)) != key(again)


def test_what_is_out_of_date_does_not_count() -> None:
    due = row(credential_expires_at=int(NOW) + 100)
    second = leased(leased(due, "dead", NOW + 99), "heir", NOW + 999)
    assert second.interrupted
    ids = {"credentials_id": "c1", "agreement_id": "g1"}
    late_failure, late_token = {**ids, "attempt": 1, "error": "no"}, {**ids, "attempt": 1}
    assert not counts(second, "FAILED", late_failure)
    # The token of an attempt that was given up is good: the server has given it.
    assert counts(second, "TOKEN", late_token)
    assert not counts(second, "TOKEN", {**late_token, "credentials_id": "other"})
    assert not counts(second, "RENEWED", {**late_token, "agreement_id": "other"})
    token = {"credentials": {"refresh_token": "x"}, "credential_expires_at": int(NOW) + 9999, **late_token}
    third = with_token(second, token, NOW + 1000)
    assert not counts(third, "FAILED", {**ids, "attempt": 2})
    assert not counts(third, "TOKEN", late_token)
    assert counts(third, "TOKEN", {**ids, "attempt": 2})


def test_only_what_is_given_anew_begins_anew() -> None:
    due = row(credential_expires_at=int(NOW) + 100, properties={"hook_id": 1})
    working = leased(due, "me", NOW + 99)
    again = subscription(credential_expires_at=int(NOW) + 100, agreement_id="g2", properties={"hook_id": 2})
    after = install(working, again, NOW + 100)
    assert after.lease == working.lease
    assert after.state.properties == {"hook_id": 2}
    fresh = subscription(credential_expires_at=int(NOW) + 9000, credentials_id="c2", agreement_id="g2")
    after = install(after, fresh, NOW + 100)
    assert after.lease is None
    assert due_in(after) == 9000 - 180
