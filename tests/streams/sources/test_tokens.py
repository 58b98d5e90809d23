"""Refresh tokens that are replaced when they are used: a real OAuth server takes each of them once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from schemas.models import AppTrigger
from schemas.secrets import SecretBox
from schemas.triggers.credentials import OAuthRefresh
from streams.sources import oauth as access
from streams.sources.commands import Kind, command
from streams.sources.tokens import LEASE_S, TokenRow, asked, fingerprint, told
from streams.sources.watching import Unavailable
from tests.oauth_server import CLIENT_ID, CLIENT_SECRET, IssuedToken, OAuthServer, oauth_server
from tests.streams.sources.partition import CODEC, Owner, Partition

TRIGGER = AppTrigger(id="t1", tenant_id="tenant", app_id="a", workflow_id="w", type="EMAIL", config={})
ROW = TokenRow("configured", "", "first", 0.0, 5)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def server() -> AsyncIterator[OAuthServer]:
    async with oauth_server(state=OAuthServer(auth="client_secret_post")) as server:
        yield server


def granted(server: OAuthServer, refresh_token: str = "the first refresh token") -> OAuthRefresh:
    """What an operator configures."""
    issued = {"access_token": f"of {refresh_token}", "refresh_token": refresh_token, "expires_in": 0}
    server.tokens.append(IssuedToken(issued, time.time()))
    return OAuthRefresh(
        token_url=f"{server.url}/oauth/token", client_id=CLIENT_ID, client_secret=CLIENT_SECRET,
        refresh_token=refresh_token,
    )  # fmt: skip


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_the_next_worker_uses_the_token_that_has_taken_its_place(
    server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    oauth, partition = granted(server), Partition()
    for _ in range(3):
        worker = Owner(partition, session)
        token = await worker.tokens.token(TRIGGER, oauth)
        assert server.is_good(token)
        assert await worker.tokens.token(TRIGGER, oauth) == token
    assert server.refreshes == 3
    assert partition.kinds == ["REFRESH", "TOKEN"] * 3
    secrets = [token.issued[name] for token in server.tokens for name in ("refresh_token", "access_token")]
    assert not [secret for secret in [*secrets, CLIENT_SECRET] if secret.encode() in partition.bytes()]


async def test_what_has_come_is_used_when_it_is_kept(
    server: OAuthServer, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.insisting._PAUSE_S", 0)
    oauth, partition = granted(server), Partition()
    worker = Owner(partition, session)
    partition.away = {"TOKEN"}
    waiting = asyncio.create_task(worker.tokens.token(TRIGGER, oauth))
    await until(lambda: server.refreshes == 1)
    with pytest.raises(Unavailable, match="in use by another worker"):
        async with asyncio.timeout(20):
            await Owner(partition, session).tokens.token(TRIGGER, oauth)
    assert not waiting.done()
    partition.away = set()
    assert server.is_good(await waiting)
    assert server.is_good(await Owner(partition, session).tokens.token(TRIGGER, oauth))


async def test_a_watcher_that_ends_leaves_the_answer_to_its_worker(
    server: OAuthServer, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.insisting._PAUSE_S", 0)
    oauth, partition = granted(server), Partition()
    worker = Owner(partition, session)
    partition.away = {"TOKEN"}
    watcher = asyncio.create_task(worker.tokens.token(TRIGGER, oauth))
    await until(lambda: server.refreshes == 1)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    partition.away = set()
    await worker.tokens.close()
    assert partition.kinds == ["REFRESH", "TOKEN"]
    assert server.is_good(await Owner(partition, session).tokens.token(TRIGGER, oauth))


async def test_nobody_is_asked_without_a_turn(
    server: OAuthServer, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    oauth, partition = granted(server), Partition()
    worker = Owner(partition, session)
    partition.owner = None
    waiting = asyncio.create_task(worker.tokens.token(TRIGGER, oauth))
    await until(lambda: partition.kinds == ["REFRESH"])
    await worker.tokens.close()
    with pytest.raises(Unavailable):
        await waiting
    monkeypatch.setattr(access, "_TURN_S", 0.01)
    with pytest.raises(Unavailable):
        await worker.tokens.token(TRIGGER, oauth)
    assert server.refreshes == 0
    # Whoever has the partition next gives them their turns, and hears that nobody waits for those.
    successor = Owner(partition, session)
    partition.decide()
    assert server.is_good(await successor.tokens.token(TRIGGER, oauth))


async def test_a_refusal_is_told_and_leaves_the_turn_to_the_next(
    server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    partition = Partition()
    worker = Owner(partition, session)
    bad = granted(server).model_copy(update={"refresh_token": "bad"})
    for _ in range(2):
        with pytest.raises(Unavailable, match="invalid_grant"):
            await worker.tokens.token(TRIGGER, bad)
    assert server.refreshes == 2
    assert (partition.row("t1").sealed, partition.row("t1").until_s) == ("", 0)


async def test_a_grant_that_is_configured_anew_takes_the_place_of_all_before(
    server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    partition, first, second = Partition(), granted(server), granted(server, "another grant")
    await Owner(partition, session).tokens.token(TRIGGER, first)
    worker = Owner(partition, session, read=9)
    for _ in range(2):
        assert server.is_good(await worker.tokens.token(TRIGGER, second))
        worker.tokens.forget(TRIGGER)
    # A worker that has read less of the triggers does not bring the first one back.
    with pytest.raises(Unavailable):
        await Owner(partition, session, read=8).tokens.token(TRIGGER, first)
    renamed = second.model_copy(update={"client_secret": "other"})
    assert fingerprint(renamed) == fingerprint(second) == partition.row("t1").configured
    used = [form["refresh_token"] for form in server.requests]
    assert (used[:2], len(used)) == ([first.refresh_token, second.refresh_token], 3)


async def test_without_a_secret_key_nothing_is_sent(
    server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    partition = Partition()
    with pytest.raises(Unavailable, match="HOPLINE_SECRET_KEY"):
        await Owner(partition, session, None).tokens.token(TRIGGER, granted(server))
    assert (server.requests, partition.log) == ([], [])


async def test_a_token_that_cannot_be_read_is_not_replaced(
    server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    partition, oauth = Partition(), granted(server)
    await Owner(partition, session).tokens.token(TRIGGER, oauth)
    kept = partition.row("t1").sealed
    with pytest.raises(Unavailable, match="encrypted under another key"):
        await Owner(partition, session, SecretBox(b"x" * 32)).tokens.token(TRIGGER, oauth)
    assert (partition.row("t1").sealed, server.refreshes) == (kept, 1)


async def test_what_comes_for_a_source_that_is_forgotten_is_not_kept(
    server: OAuthServer, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.insisting._PAUSE_S", 0)
    partition = Partition()
    worker = Owner(partition, session)
    partition.away = {"TOKEN"}
    waiting = asyncio.create_task(worker.tokens.token(TRIGGER, granted(server)))
    await until(lambda: server.refreshes == 1)
    await tell(partition, "REMOVE", {})
    partition.away = set()
    await waiting
    assert partition.kinds == ["REFRESH", "REMOVE", "TOKEN"]
    assert partition.table == {}


async def test_a_calendar_that_is_listed_leaves_the_token_alone(
    server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    partition = Partition()
    await Owner(partition, session).tokens.token(TRIGGER, granted(server))
    before = dict(partition.table)
    await tell(partition, "SYNCED", {"timers": [], "names": []})
    assert partition.table == before


async def tell(partition: Partition, kind: Kind, payload: dict[str, Any]) -> None:
    await partition.send(command(CODEC, "tenant", "t1", kind, payload))


# What is decided ------------------------------------------------------------------------------------------


def ask(attempt: str, configured: str = "configured", read: int = 5) -> dict[str, Any]:
    return {"attempt": attempt, "configured": configured, "triggers_offset": read}


def tells(attempt: str, before: str, sealed: str, configured: str = "configured") -> dict[str, Any]:
    return {"attempt": attempt, "configured": configured, "before": before, "sealed": sealed}


def test_an_attempt_has_its_time() -> None:
    row = asked(ROW, ask("second"), 100.0)
    assert row == replace(ROW, attempt="second", until_s=100.0 + LEASE_S)
    assert asked(row, ask("third"), 99.0 + LEASE_S) is None
    after = asked(row, ask("third"), 100.0 + LEASE_S)
    assert after is not None
    # That of before has an end, and says so late: the one that goes on keeps its turn.
    assert told(after, tells("second", "", "")) == after


def test_a_token_takes_the_place_of_the_one_it_was_given_for_however_late() -> None:
    row = replace(ROW, attempt="third", until_s=300.0)
    late = told(row, tells("second", "", "enc:2"))
    assert late == replace(row, sealed="enc:2")
    assert told(late, tells("third", "", "enc:3")) == replace(late, until_s=0.0)
    assert told(late, tells("third", "enc:2", "enc:3")) == replace(late, sealed="enc:3", until_s=0.0)
    assert told(late, tells("third", "enc:2", "enc:3", "another")) == late


def test_commands_that_are_decided_again_bring_no_older_token_back() -> None:
    """After a crash, on rows that have what followed already."""
    log = [
        (ask("a"), tells("a", "", "enc:a")),
        (ask("b"), tells("b", "enc:a", "enc:b")),
        (ask("c", "new", 9), tells("c", "", "enc:c", "new")),
    ]

    def decided(row: TokenRow | None) -> TokenRow:
        for asking, telling in log:
            row = asked(row, asking, 100.0) or row
            assert row is not None
            row = told(row, telling)
        assert row is not None
        return row

    row = decided(None)
    assert (row.configured, row.sealed, row.until_s) == ("new", "enc:c", 0.0)
    assert decided(row) == row
