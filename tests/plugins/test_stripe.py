"""Stripe: signatures as Stripe makes them, endpoints as its API has them."""

import hmac

import orjson
import pytest
from pydantic import ValidationError

from plugins.stripe import Stripe, StripeKeys
from schemas.plugins.errors import ProviderRefused
from schemas.plugins.opening import secrets_of
from schemas.triggers.delivery import NotBelieved, NotUnderstood
from tests.plugins.conftest import NOW_S, delivery, opened
from tests.providers import API_KEY, Providers
from transport.plugin_http import DiscreetHttp, PluginHttp

STRIPE = Stripe()
SECRET = "whsec_0"


def signed(body: bytes, at_s: float = NOW_S, secret: str = SECRET) -> dict[str, str]:
    told = hmac.digest(secret.encode(), f"{at_s:.0f}.".encode() + body, "sha256").hex()
    return {"Stripe-Signature": f"t={at_s:.0f},v1={told},v0=00"}


def event(**changes: object) -> bytes:
    return orjson.dumps(
        {"id": "evt_1", "type": "charge.failed", "data": {"object": {"id": "ch_1"}}, **changes}
    )


def test_an_event_keeps_its_name() -> None:
    subscription = opened(STRIPE, {}, properties={"signing_secret": SECRET})
    [found] = STRIPE.receive(
        delivery(event(account="acct_1"), signed(event(account="acct_1"))), subscription
    ).events
    assert (found.event_type, found.delivery_id, found.subject) == ("charge.failed", "evt_1", "ch_1")
    assert found.source == "https://stripe.com/acct_1"
    assert found.body["data"]["object"] == {"id": "ch_1"}


@pytest.mark.parametrize(
    "headers",
    [{}, signed(event(), secret="other"), signed(event(), NOW_S - 301), signed(event(id="evt_2"))],
    ids=["unsigned", "by somebody else", "too old", "for another body"],
)
def test_what_is_not_believed(headers: dict[str, str]) -> None:
    subscription = opened(STRIPE, {}, properties={"signing_secret": SECRET})
    with pytest.raises(NotBelieved):
        STRIPE.receive(delivery(event(), headers), subscription)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"id": 1, "type": "x"}', b'{"id": "evt_1"}'])
def test_what_is_no_event(body: bytes) -> None:
    subscription = opened(STRIPE, {}, properties={"signing_secret": SECRET})
    with pytest.raises(NotUnderstood):
        STRIPE.receive(delivery(body, signed(body)), subscription)


@pytest.mark.parametrize("data", ["text", None, {"object": None}, {}])
def test_an_event_about_nothing(data: object) -> None:
    body = event(data=data)
    subscription = opened(STRIPE, {}, properties={"signing_secret": SECRET})
    [found] = STRIPE.receive(delivery(body, signed(body)), subscription).events
    assert found.subject is None


async def test_an_endpoint_comes_and_goes(providers: Providers, http: PluginHttp) -> None:
    parameters = {"api_url": providers.url, "api_version": "2025-09-30", "enabled_events": ["a.b", "c.*"]}
    subscription = opened(STRIPE, parameters, credentials={"api_key": API_KEY})
    made = await STRIPE.subscribe(http, subscription)
    [endpoint] = providers.endpoints.values()
    assert (endpoint["enabled_events"], endpoint["api_version"]) == (["a.b", "c.*"], "2025-09-30")
    assert endpoint["url"] == subscription.endpoint
    assert made.properties == {"webhook_endpoint_id": endpoint["id"], "signing_secret": endpoint["secret"]}
    assert endpoint["secret"] not in repr(made)
    agreed = opened(STRIPE, parameters, credentials={"api_key": API_KEY}, properties=made.properties)
    for _ in range(2):
        await STRIPE.unsubscribe(http, agreed)
    assert providers.endpoints == {}


async def test_a_key_that_is_refused_is_not_repeated(providers: Providers, http: PluginHttp) -> None:
    subscription = opened(STRIPE, {"api_url": providers.url}, credentials={"api_key": "sk_wr0ng"})
    with pytest.raises(ProviderRefused, match="Invalid API Key provided") as refused:
        await STRIPE.subscribe(DiscreetHttp(http, secrets_of(STRIPE, subscription)), subscription)
    assert "sk_wr0ng" not in str(refused.value) + repr(subscription)


@pytest.mark.parametrize("keys", [{}, {"api_key": "a", "signing_secret": "b"}])
def test_one_of_two_keys(keys: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either an api_key or a signing_secret"):
        StripeKeys.model_validate(keys)
