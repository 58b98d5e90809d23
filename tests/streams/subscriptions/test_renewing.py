"""Subscriptions that end are renewed before, and made anew after: against a stand-in of Microsoft Graph."""

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from plugins.microsoft_graph import MicrosoftGraph
from schemas.models import DEFAULT_TENANT, SubscriptionState
from schemas.plugins.contract import Subscribed
from tests.oauth_server import IssuedToken, serving
from tests.providers import Providers, all_providers
from tests.streams.subscriptions.partition import BOX, Owner, Partition, subscription


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    async with all_providers() as providers:
        token = {"access_token": "good", "expires_in": 10 * 86_400}
        providers.oauth.tokens.append(IssuedToken(token, time.time()))
        yield providers


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def watching(providers: Providers, partition: Partition, **changes: Any) -> None:
    """A subscription to events of a calendar that lasts two hours more."""
    providers.subscriptions["0"] = {"expirationDateTime": "2020-01-01T00:00:00Z", "clientState": "st4te"}
    parameters = {
        "resource": "me/events",
        "changes": ["created"],
        "lifetime_minutes": 120,
        "api_url": f"{providers.url}/v1.0",
    }
    fields: dict[str, Any] = {
        "provider_id": "hopline/microsoft_graph",
        "parameters": parameters,
        "token": {"access_token": "good"},
        "credential_expires_at": -1,
        "properties": {"subscription_id": "0", "client_state": BOX.encrypt(DEFAULT_TENANT, "st4te")},
        "expires_at": int(partition.now_s) + 7200,
        **changes,
    }
    partition.tell(subscription(**fields), "SET")


def state(partition: Partition) -> SubscriptionState:
    found = partition.published[-1]
    assert found is not None
    return found


async def test_an_end_is_put_off_half_an_hour_before(
    providers: Providers, session: aiohttp.ClientSession
) -> None:
    partition = Partition()
    watching(providers, partition)
    owner = Owner(partition, session)
    await owner.work()
    assert partition.due_in_s == pytest.approx(7200 - 1800, abs=2)
    partition.now_s += 7200 - 1799
    await owner.work()
    assert providers.subscriptions["0"]["expirationDateTime"] > "2026"
    assert state(partition).expires_at == pytest.approx(time.time() + 7200, abs=5)
    assert state(partition).properties["subscription_id"] == "0"
    assert BOX.decrypt(DEFAULT_TENANT, state(partition).properties["client_state"]) == "st4te"
    assert "st4te" not in str(partition.published)


async def test_a_provider_may_ask_for_it_at_any_time(
    providers: Providers, session: aiohttp.ClientSession
) -> None:
    partition = Partition()
    watching(providers, partition)
    owner = Owner(partition, session)
    owner.read()
    partition.now_s += 10
    partition.tell(subscription(), "RENEW", {})
    await owner.work()
    assert state(partition).refreshed_at == int(partition.now_s)
    assert providers.subscriptions["0"]["expirationDateTime"] > "2026"
    assert partition.due_in_s == pytest.approx(7200 - 1800, abs=12)
    # GitLab's cannot be renewed, and one that is gone is gone.
    other = Partition()
    other.tell(subscription(), "RENEW", {})
    other.tell(subscription(), "SET")
    other.tell(subscription(), "RENEW", {})
    Owner(other, session).read()
    assert other.due_in_s == pytest.approx(7200 - 180, abs=2)


async def test_what_has_ended_is_made_anew_under_the_same_endpoint(
    providers: Providers, session: aiohttp.ClientSession
) -> None:
    asked = []

    async def handshake(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text=request.query["validationToken"])

    partition = Partition()
    partition.now_s -= 86_400
    watching(providers, partition)
    Owner(partition, session).read()
    partition.now_s += 86_400
    async with serving([web.post("/triggers/plugin/{endpoint}", handshake)]) as url:
        await Owner(partition, session, url).work()
    assert asked == [f"/triggers/plugin/{'e' * 24}"]
    made = state(partition)
    assert made.properties["subscription_id"] == "1"
    secret = BOX.decrypt(DEFAULT_TENANT, made.properties["client_state"])
    assert secret == providers.subscriptions["1"]["clientState"]
    assert (made.error, made.expires_at > partition.now_s) == (None, True)


async def test_a_worker_that_does_not_know_where_the_ingress_is_says_so(
    providers: Providers, session: aiohttp.ClientSession
) -> None:
    partition = Partition()
    partition.now_s -= 86_400
    watching(providers, partition)
    Owner(partition, session).read()
    partition.now_s += 86_400
    await Owner(partition, session).work()
    assert "workers need HOPLINE_PUBLIC_URL" in (state(partition).error or "")
    assert (state(partition).failures, state(partition).needs_authorization) == (1, False)


async def test_a_provider_that_refuses_is_asked_again_later(
    providers: Providers, session: aiohttp.ClientSession
) -> None:
    partition = Partition()
    watching(providers, partition, token={"access_token": "r3voked"})
    owner = Owner(partition, session)
    owner.read()
    partition.now_s += 7200 - 1799
    await owner.work()
    error = state(partition).error or ""
    assert "renewing the subscription: the provider answers 401" in error
    assert ("****** is no good" in error, "r3voked" in error) == (True, False)
    assert partition.due_in_s == pytest.approx(26, abs=4.1)


async def test_a_plugin_that_fails_or_sets_an_end_in_the_past(
    providers: Providers, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def past(*_: Any) -> Subscribed:
        return Subscribed({}, 1)

    async def broken(*_: Any) -> Subscribed:
        raise RuntimeError("s3cret")

    partition = Partition()
    watching(providers, partition)
    owner = Owner(partition, session)
    owner.read()
    partition.now_s += 7200 - 1799
    for refresh, said in (
        (past, "has set an end that is over"),
        (broken, "a fault of the plugin: RuntimeError"),
    ):
        monkeypatch.setattr(MicrosoftGraph, "refresh", refresh)
        partition.now_s += 61
        await owner.work()
        assert said in (state(partition).error or "")
    assert "s3cret" not in str(partition.published)
