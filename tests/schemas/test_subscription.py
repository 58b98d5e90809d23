"""Subscriptions by the names of the seed, and OAuth clients."""

from typing import Any

import pytest

from schemas.models import (
    DEFAULT_TENANT,
    SubscriptionState,
    TriggerOAuthSystemClient,
    TriggerOAuthTenantClient,
)
from schemas.models.oauth_client import SYSTEM_TENANT, OAuthParams
from schemas.models.subscription import Subscription, TriggerSubscription
from schemas.secrets import SecretBox, SecretUnreadable

BOX = SecretBox(b"k" * 32)
NOW = 1_704_067_200


def subscription(**changes: Any) -> TriggerSubscription:
    fields = {
        "id": "s", "name": "n", "user_id": "u", "provider_id": "plugin_id/provider_name", "endpoint_id": "e",
        "parameters": {"p": 1}, "properties": {"q": 2, "r": BOX.encrypt(DEFAULT_TENANT, "x")},
        "credentials": {"access_token": BOX.encrypt(DEFAULT_TENANT, "t"), "token_type": "Bearer"},
        "credential_type": "oauth", "credentials_id": "c1", "agreement_id": "a1", **changes,
    }  # fmt: skip
    return TriggerSubscription.model_validate(fields)


@pytest.mark.parametrize(
    ("expires_at", "expired"), [(-1, False), (NOW + 180, False), (NOW + 179, True), (NOW - 1, True)]
)
def test_a_token_counts_as_expired_three_minutes_before(expires_at: int, expired: bool) -> None:
    assert subscription(credential_expires_at=expires_at).is_credential_expired(NOW) is expired


def test_by_the_clock_of_this_machine() -> None:
    assert subscription(credential_expires_at=NOW).is_credential_expired()


@pytest.mark.parametrize(("expires_at", "expired"), [(-1, False), (NOW + 1, False), (NOW, True)])
def test_a_subscription_expires_when_it_says(expires_at: int, expired: bool) -> None:
    assert subscription(expires_at=expires_at).is_expired(NOW + 0.0) is expired


def test_for_the_plugin() -> None:
    found = subscription(expires_at=NOW)
    assert found.to_entity("https://h/") == Subscription(
        expires_at=NOW,
        endpoint="https://h/triggers/plugin/e",
        parameters=found.parameters,
        properties=found.properties,
    )


def test_for_clients_without_secrets() -> None:
    shown = subscription().to_api_entity("https://h")
    assert shown.model_dump() == {
        "id": "s", "name": "n", "provider": "plugin_id/provider_name",
        "endpoint": "https://h/triggers/plugin/e", "parameters": {"p": 1},
        "properties": {"q": 2, "r": "********"}, "credential_type": "oauth",
        "credentials": {"access_token": "********", "token_type": "********"}, "workflows_in_use": -1,
    }  # fmt: skip


def state(**changes: Any) -> SubscriptionState:
    fields = {
        "id": "s", "credentials_id": "c1", "agreement_id": "a1", "credentials": {"access_token": "new"},
        "credential_expires_at": NOW, "properties": {"q": 3}, "expires_at": NOW + 1, **changes,
    }  # fmt: skip
    return SubscriptionState.model_validate(fields)


def test_what_has_become_of_it_counts_as_far_as_it_is_about_it() -> None:
    agreed = subscription()
    assert agreed.since(None) is agreed
    both = agreed.since(state())
    assert (both.credentials, both.credential_expires_at) == ({"access_token": "new"}, NOW)
    assert (both.properties, both.expires_at) == ({"q": 3}, NOW + 1)
    token = agreed.since(state(agreement_id="a0"))
    assert (token.credentials, token.properties) == ({"access_token": "new"}, agreed.properties)
    end = agreed.since(state(credentials_id="c0"))
    assert (end.credentials, end.properties) == (agreed.credentials, {"q": 3})


def test_clients_are_one_for_each_provider_and_only_theirs() -> None:
    params = OAuthParams(
        client_id="i",
        client_secret="s3cret",
        authorize_url="https://o/a",
        token_url="https://o/t",
        scopes=("r",),
    )
    sealed = BOX.encrypt(SYSTEM_TENANT, params.model_dump_json())
    system = TriggerOAuthSystemClient(
        id=TriggerOAuthSystemClient.id_of("p", "q"),
        plugin_id="p",
        provider="q",
        encrypted_oauth_params=sealed,
    )
    assert system.tenant_id == SYSTEM_TENANT
    assert (system.provider_id, system.params(BOX)) == ("p/q", params)
    assert TriggerOAuthSystemClient.id_of("p", "q") != TriggerOAuthSystemClient.id_of("p", "r")
    ids = {TriggerOAuthTenantClient.id_of(tenant, "p", "q") for tenant in ("t", "u")}
    assert len(ids) == 2
    stolen = TriggerOAuthTenantClient(
        id="x", tenant_id="t", plugin_id="p", provider="q", encrypted_oauth_params=sealed
    )
    assert stolen.enabled
    with pytest.raises(SecretUnreadable):
        stolen.params(BOX)
