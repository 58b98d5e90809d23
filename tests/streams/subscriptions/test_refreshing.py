"""Tokens are refreshed in time, once, whoever dies: against a real OAuth server that rotates them."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.oauth_server import REDIRECT, OAuthServer, oauth_server
from tests.streams.subscriptions.partition import ID, Owner, Partition, know, subscription
from transport.oauth import authorization_url, exchange, new_verifier
from transport.plugin_http import PluginHttp


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def server() -> AsyncIterator[OAuthServer]:
    async with oauth_server() as server:
        yield server


@pytest.fixture
async def partition(server: OAuthServer, session: aiohttp.ClientSession) -> Partition:
    """With a subscription whose token the server has issued."""
    partition, verifier = Partition(), new_verifier()
    know(partition, server.params)
    url = authorization_url(server.params, REDIRECT, "s", verifier)
    async with session.get(url, allow_redirects=False) as sent_back:
        code = sent_back.headers["Location"].split("code=")[1].split("&")[0]
    token = await exchange(PluginHttp(session), server.params, code, REDIRECT, verifier, partition.now_s)
    secret = {name: token.credentials[name] for name in ("access_token", "refresh_token")}
    partition.tell(subscription(token=secret, credential_expires_at=token.expires_at), "SET")
    server.requests.clear()
    return partition


@pytest.fixture
def due(partition: Partition, session: aiohttp.ClientSession) -> Owner:
    """Has read what there was two hours ago: the token is to be refreshed."""
    owner = Owner(partition, session)
    owner.read()
    partition.now_s += 7200
    return owner


async def test_a_token_is_refreshed_three_minutes_before_it_expires(
    partition: Partition, server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    owner = Owner(partition, session)
    await owner.work()
    assert server.refreshes == 0
    assert partition.due_in_s == pytest.approx(7200 - 180, abs=2)
    partition.now_s += 7200 - 179
    await owner.work()
    assert server.refreshes == 1
    assert server.is_good(partition.token()["access_token"])
    assert partition.due_in_s == pytest.approx(7200 - 180, abs=2)
    # The refresh token has rotated: only with the new one can it go on.
    partition.now_s += 7200 - 179
    await owner.work()
    assert server.refreshes == 2
    assert partition.state.error is None


async def test_two_workers_refresh_once(
    partition: Partition, server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    one, other = Owner(partition, session), Owner(partition, session)
    one.read()
    partition.now_s += 7200
    one.look()  # It is to make the attempt, and the row says so.
    other.look()  # The partition has gone to the other, who leaves the attempt to the first,
    one.look()  # which has not noticed yet, and makes it: as often as it is asked to.
    one.look()
    await one.refresher.close()
    other.look()
    other.read()
    await other.work()
    assert server.refreshes == 1
    assert server.is_good(partition.token()["access_token"])


async def test_nobody_begins_before_the_row_is_kept(
    partition: Partition, server: OAuthServer, due: Owner
) -> None:
    row = partition.table[ID]
    due.look()
    partition.table[ID] = row  # The write was not confirmed: somebody else has the partition.
    await due.refresher.close()
    assert server.refreshes == 0


async def test_what_a_dead_worker_was_told_is_not_asked_again(
    partition: Partition, server: OAuthServer, session: aiohttp.ClientSession, due: Owner
) -> None:
    heir = Owner(partition, session)
    due.look()
    due.look()
    await due.refresher.close()  # The token is on the topic, and nobody has read it.
    heir.look()  # Rows that are due are looked at before what is on the topic.
    await heir.work()
    assert server.refreshes == 1
    assert server.is_good(partition.token()["access_token"])


async def test_a_worker_that_dies_before_it_asks_is_followed_by_one_that_does(
    partition: Partition, server: OAuthServer, session: aiohttp.ClientSession, due: Owner
) -> None:
    heir = Owner(partition, session)
    due.look()
    await heir.work()
    assert server.refreshes == 0
    partition.now_s += 121
    await heir.work()
    assert server.refreshes == 1
    assert partition.row.interrupted is False


async def test_a_reply_that_is_lost_is_said_to_be(
    partition: Partition, server: OAuthServer, session: aiohttp.ClientSession, due: Owner
) -> None:
    heir = Owner(partition, session)
    due.look()
    due.look()
    await due.refresher.close()
    partition.commands.clear()  # It has died with the reply in its hands.
    partition.now_s += 121
    await heir.work()
    state = partition.state
    assert state.needs_authorization
    assert "invalid_grant" in (state.error or "")
    assert "the answer to an earlier attempt is lost" in (state.error or "")
    assert partition.due_in_s is None
    # Its user authorizes it again: other credentials, and all is well.
    end = int(partition.now_s) + 7200
    partition.tell(subscription(credentials_id="c2", credential_expires_at=end), "SET")
    heir.read()
    state = partition.state
    assert (state.needs_authorization, state.error, state.credentials_id) == (False, None, "c2")
    assert partition.due_in_s == pytest.approx(7200 - 180, abs=2)


async def test_a_failure_is_tried_again_later(partition: Partition, server: OAuthServer, due: Owner) -> None:
    server.failing = 1
    await due.work()
    state = partition.state
    assert (state.failures, state.needs_authorization) == (1, False)
    assert state.error == "the token endpoint answers 503"
    assert partition.due_in_s == pytest.approx(26, abs=4.1)
    partition.now_s += 31
    await due.work()
    state = partition.state
    assert (state.failures, state.error) == (0, None)


async def test_an_answer_that_is_cut_off_may_have_had_the_token(
    partition: Partition, server: OAuthServer, due: Owner
) -> None:
    server.silent = 1
    await due.work()
    state = partition.state
    assert state.error == "the provider cannot be reached: ServerDisconnectedError"
    partition.now_s += 31
    await due.work()
    state = partition.state
    assert state.needs_authorization
    assert "the answer to an earlier attempt is lost" in (state.error or "")


async def test_the_broker_is_told_again_and_again(
    partition: Partition,
    server: OAuthServer,
    due: Owner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.insisting._PAUSE_S", 0.001)
    partition.broker_is_away = 3
    await due.work()
    assert server.refreshes == 1
    assert server.is_good(partition.token()["access_token"])


async def test_a_change_by_its_user_takes_no_token_along(
    partition: Partition, server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    owner = Owner(partition, session)
    owner.read()
    before = partition.row.subscription
    partition.now_s += 7200
    owner.look()
    owner.look()
    # While the request is under way, its user gives it another name: made of what was agreed on.
    changed = before.model_copy(update={"name": "new", "updated_at": before.updated_at.replace(year=2100)})
    partition.tell(changed, "SET")
    await owner.work()
    assert partition.row.subscription.name == "new"
    current = partition.row.subscription.since(partition.published[-1])
    assert current.credentials != before.credentials
    assert server.is_good(partition.token()["access_token"])


async def test_without_its_client_it_waits_and_without_a_refresh_token_it_says_so(
    partition: Partition, server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    owner = Owner(partition, session)
    partition.index.oauth_clients.clear()
    await owner.work()
    partition.now_s += 7200
    await owner.work()
    state = partition.state
    assert "OAuth client that it was authorized with is gone" in (state.error or "")
    partition.tell(subscription(token={"access_token": "a"}, credentials_id="c3"), "SET")
    owner.read()
    partition.now_s += 7200
    await owner.work()
    state = partition.state
    assert (state.needs_authorization, "gave none to refresh it with" in (state.error or "")) == (True, True)


async def test_no_secret_is_in_a_log_or_on_a_topic(
    partition: Partition,
    server: OAuthServer,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    owner = Owner(partition, session)
    sent: list[Any] = list(partition.commands)
    await owner.work()
    partition.now_s += 7200
    owner.look()
    owner.look()
    await owner.refresher.close()
    sent += partition.commands
    owner.read()
    secrets = [value for token in server.tokens for name, value in token.issued.items() if "_token" in name]
    secrets += [server.client_body["client_secret"]]
    logged = [one.getMessage() for one in caplog.records if not one.name.startswith("authlib")]
    said = "".join(logged) + "".join(str(send.value) for send in sent) + str(partition.published)
    secrets = [secret for secret in secrets if secret != "Bearer"]
    assert len(secrets) == 5
    assert [secret for secret in secrets if secret in said] == []


async def test_removed_it_is_gone(
    partition: Partition, server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    owner = Owner(partition, session)
    owner.read()
    partition.tell(subscription(), "REMOVE", {})
    partition.tell(subscription(), "TOKEN", {"credentials_id": "c1", "attempt": 1})
    owner.read()
    assert partition.table == {}
    assert partition.published == [None]


async def test_an_unknown_kind_is_a_fault(partition: Partition, session: aiohttp.ClientSession) -> None:
    partition.tell(subscription(), "UNKNOWN", {})
    with pytest.raises(ValueError, match="unknown kind of subscription command UNKNOWN"):
        Owner(partition, session).read()
