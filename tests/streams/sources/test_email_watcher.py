"""Mailboxes on a real IMAP server, watched: each message is one event, whatever breaks."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.triggers.email import EmailConfig
from streams.sources.email import mailbox, watcher
from streams.sources.email.mailbox import Connections
from streams.sources.email.watcher import EmailSource
from streams.sources.oauth import AccessTokens
from streams.sources.watching import Unavailable
from tests.streams.sources.certificates import self_signed
from tests.streams.sources.imap_server import PASSWORD, TOKEN, USER, ImapServer, running_imap_server
from tests.streams.sources.watched import Watched
from transport.egress import EgressPolicy
from transport.files import FileLinks, FileStore
from transport.storage import Storage

CODEC = SingleObjectCodec()


class Tokens(AccessTokens):
    """Given out without asking anybody."""

    def __init__(self) -> None:
        self.forgotten = 0

    async def token(self, trigger: Any, oauth: Any) -> str:
        return TOKEN if oauth.refresh_token == "good" else "old"

    def forget(self, trigger: Any) -> None:
        self.forgotten += 1


class Post:
    """A server, and a kind of source that reads it."""

    def __init__(self, server: ImapServer, max_bytes: int = 1 << 20) -> None:
        self.server = server
        self.files = FileStore(Storage(MemoryStore()), FileLinks("", "", 60))
        self.connections = Connections(EgressPolicy(["127.0.0.1"]), 4, 10, mail_max_bytes=1 << 20)
        self.tokens = Tokens()
        self.source = EmailSource(self.connections, self.tokens, self.files, CODEC, max_bytes)

    def watched(self, **config: Any) -> Watched:
        given = {"password": PASSWORD, "security": "none", **config}
        settings = EmailConfig(host="127.0.0.1", port=self.server.port, username=USER, **given)
        return Watched(settings)


class Idle(asyncio.Event):
    """Set while a connection waits for mail."""


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Idle:
    """pymap tells nobody of mail that comes between a search and IDLE."""
    waits, wait = Idle(), mailbox._readable

    async def readable(*arguments: Any) -> None:
        waits.set()
        try:
            await wait(*arguments)
        finally:
            waits.clear()

    monkeypatch.setattr(mailbox, "_readable", readable)
    return waits


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    async with running_imap_server() as server:
        post = Post(server)
        yield post
        post.connections.close()


def mail(
    subject: str = "Hello", text: str = "How are you?", sender: str = "Ann <ann@example.org>"
) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, USER, subject
    message["Message-ID"] = f"<{len(subject)}.{subject[-1]}@example.org>"
    message.set_content(text)
    return message


def subjects(watched: Watched) -> list[str]:
    return [event.data["body"]["subject"] for event in watched.events]


async def test_new_mail_becomes_an_event_and_is_marked_as_read(post: Post, idle: Idle) -> None:
    watched = post.watched()
    async with watched.by(post.source):
        await idle.wait()
        uid = await post.server.deliver(mail())
        [event] = await watched.until(1)
        await watched.at_rest()
    body = event.data["body"]
    assert (body["from"], body["text"]) == ({"name": "Ann", "address": "ann@example.org"}, "How are you?\n")
    assert (event.event_type, body["uid"], body["folder"]) == ("email.received", uid, "INBOX")
    assert event.source.endswith(f"/INBOX;UIDVALIDITY={watched.position['uidvalidity']}/;UID={uid}")
    assert await post.server.seen() == {uid}


async def test_who_watches_next_goes_on_behind_the_position(post: Post, idle: Idle) -> None:
    watched = post.watched()
    await post.server.deliver(mail("1"))
    async with watched.by(post.source):
        await watched.at_rest()
    await post.server.deliver(mail("2"))
    async with watched.by(post.source):
        await watched.at_rest()
        await idle.wait()
        await post.server.deliver(mail("3"))
        await watched.until(3)
    assert subjects(watched) == ["1", "2", "3"]


async def test_what_was_moved_here_with_an_older_date_before_the_trigger_was_made_is_not_new(
    post: Post,
) -> None:
    now = datetime.now(UTC)
    await post.server.deliver(mail("of today"), at=now - timedelta(hours=2))
    await post.server.deliver(mail("of last year"), at=now - timedelta(days=365))
    watched = post.watched()
    watched.since_s = now.timestamp()
    async with watched.by(post.source):
        await watched.at_rest()
    assert subjects(watched) == []


async def test_what_was_published_before_a_crash_has_the_same_identity_again(post: Post, idle: Idle) -> None:
    watched = post.watched()
    await post.server.deliver(mail("1"))
    async with watched.by(post.source):
        await watched.at_rest()
        await idle.wait()
        before = watched.position
        await post.server.deliver(mail("2"))
        await watched.until(2)
    watched.position = before  # as if it had not been kept
    async with watched.by(post.source):
        await watched.until(3)
    assert subjects(watched) == ["1", "2", "2"]
    assert watched.events[1].identity == watched.events[2].identity != watched.events[0].identity


async def test_what_was_there_before_the_trigger_is_not_new(post: Post) -> None:
    now = datetime.now(UTC)
    watched = post.watched()
    watched.since_s = now.timestamp() - 60
    await post.server.deliver(mail("old"), at=now - timedelta(hours=1))
    await post.server.deliver(mail("waiting"), at=now)
    async with watched.by(post.source):
        await watched.at_rest()
    assert subjects(watched) == ["waiting"]


@pytest.mark.parametrize("before", ["", "old"])
async def test_a_folder_in_which_nothing_is_wanted_yet_begins_at_its_end(
    post: Post, idle: Idle, before: str
) -> None:
    watched = post.watched()
    watched.since_s = datetime.now(UTC).timestamp() + 1000
    if before:
        await post.server.deliver(mail(before), at=datetime.now(UTC) - timedelta(days=9))
    async with watched.by(post.source):
        await idle.wait()
        await post.server.deliver(mail("new"))
        await watched.until(1)
    assert subjects(watched) == ["new"]


async def test_messages_that_get_new_uids_are_not_new(post: Post) -> None:
    watched = post.watched(folder="Support")
    now = datetime.now(UTC)
    for number in range(3):
        # Two of them in the same second.
        await post.server.deliver(mail(str(number)), "Support", now - timedelta(seconds=10 - number // 2))
    async with watched.by(post.source):
        await watched.at_rest()
    validity = watched.position["uidvalidity"]
    await post.server.recreate("Support")
    await post.server.deliver(mail("3"), "Support", now)
    async with watched.by(post.source):
        await watched.at_rest()
    assert subjects(watched) == ["0", "1", "2", "3"]
    assert watched.position["uidvalidity"] != validity


async def test_a_server_that_does_not_say_which_uid_is_next_gets_its_old_mail_left_alone(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    select = IMAPClient.select_folder

    def selected(client: IMAPClient, *arguments: Any) -> dict[bytes, Any]:
        found: dict[bytes, Any] = select(client, *arguments)
        del found[b"UIDNEXT"]
        return found

    monkeypatch.setattr(IMAPClient, "select_folder", selected)
    watched = post.watched(folder="Support")
    watched.since_s = datetime.now(UTC).timestamp()
    async with watched.by(post.source):
        await watched.at_rest()
    assert watched.position["uid"] == 0
    watched.position = None
    await post.server.deliver(mail("old"), "Support", datetime.now(UTC) - timedelta(days=9))
    async with watched.by(post.source):
        await watched.at_rest()
    await post.server.deliver(mail("new"), "Support")
    async with watched.by(post.source):
        await watched.until(1)
    assert subjects(watched) == ["new"]


async def test_of_many_messages_of_one_second_the_last_are_remembered(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_MOST_TOGETHER", 2)
    watched = post.watched(folder="Support")
    now = datetime.now(UTC)
    for number in range(3):
        await post.server.deliver(mail(str(number)), "Support", now)
    async with watched.by(post.source):
        await watched.at_rest()
    assert len(watched.position["at_arrival"]) == 2


async def test_what_does_not_pass_the_filters_is_told_but_left_unread(post: Post) -> None:
    watched = post.watched(subject={"regex": r"^\[order\] \d+$"}, sender="EXAMPLE.org")
    spam, order = mail("Win"), mail("[order] 17")
    for message in (spam, order):
        message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    await post.server.deliver(spam)
    uid = await post.server.deliver(order)
    async with watched.by(post.source):
        await watched.at_rest()
    refusals = [watched.settings.refusal(event.data) for event in watched.events]
    assert refusals == [r"the message does not pass the filter subject: /^\[order\] \d+$/", None]
    assert await post.server.seen() == {uid}
    [left], [kept] = (event.data["body"]["attachments"] for event in watched.events)
    assert left == {"filename": "a.pdf", "mime_type": "application/pdf", "size": 4}
    assert kept["filename"] == "a.pdf"
    assert await post.files.read("tenant", kept["related_id"]) == b"%PDF"


@pytest.mark.parametrize(("config", "status"), [({"mark_as_read": False}, "ACTIVE"), ({}, "PAUSED")])
async def test_a_mailbox_that_is_only_looked_at(post: Post, config: dict[str, Any], status: str) -> None:
    watched = post.watched(**config)
    watched.status = status
    await post.server.deliver(mail())
    async with watched.by(post.source):
        await watched.until(1)
        await watched.at_rest()
    assert await post.server.seen() == set()


async def test_a_message_that_is_too_large_comes_without_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_BEGINNING_BYTES", 1000)
    async with running_imap_server() as server:
        post = Post(server, max_bytes=4096)
        message = mail(text="word " * 1000)
        message.add_attachment(b"x" * 5000, maintype="image", subtype="png", filename="x.png")
        watched = post.watched()
        await server.deliver(message)
        async with watched.by(post.source):
            [event] = await watched.until(1)
        post.connections.close()
    body = event.data["body"]
    assert (body["is_whole"], body["attachments"], body["subject"]) == (False, [], "Hello")
    assert 0 < len(body["text"]) < 1000
    assert body["size"] > 5000


async def test_a_server_without_idle_is_looked_at_every_now_and_then() -> None:
    async with running_imap_server(idle=False) as server:
        post = Post(server)
        watched = post.watched()
        async with watched.by(post.source):
            await watched.at_rest()
            await server.deliver(mail())
            watched.news.set()
            await watched.until(1)
        post.connections.close()


async def test_a_connection_that_ends_is_unavailable(post: Post, idle: Idle) -> None:
    watched = post.watched()
    task = asyncio.create_task(post.source.watch(watched.watch()))
    await idle.wait()
    post.server.hang_up()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        await task


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"password": "another"}, "does not let support@example.com in"),
        ({"folder": "Nowhere"}, "Nowhere|does not exist|select failed"),
        ({"security": "tls"}, "no connection|SSL|WRONG_VERSION"),
    ],
)
async def test_what_is_wrong_is_said(post: Post, config: dict[str, Any], why: str) -> None:
    with pytest.raises(Unavailable, match=why) as raised:
        await post.source.watch(post.watched(**config).watch())
    assert PASSWORD not in str(raised.value)


async def test_private_addresses_are_not_connected_to(post: Post) -> None:
    post.connections.policy = EgressPolicy([])
    with pytest.raises(Unavailable, match="HOPLINE_EGRESS_ALLOW"):
        await post.source.watch(post.watched().watch())


async def test_a_mailbox_opens_with_an_access_token(post: Post) -> None:
    oauth = {"client_id": "c", "refresh_token": "good"}
    watched = post.watched(password="", oauth=oauth)
    await post.server.deliver(mail())
    async with watched.by(post.source):
        await watched.until(1)
    with pytest.raises(Unavailable, match="does not let"):
        await post.source.watch(post.watched(password="", oauth={**oauth, "refresh_token": "bad"}).watch())
    assert post.tokens.forgotten == 1


async def test_an_access_token_is_good_for_another_try_when_the_server_is_away(post: Post) -> None:
    oauth = {"client_id": "c", "refresh_token": "good"}
    post.connections.policy = EgressPolicy([])
    with pytest.raises(Unavailable, match="no connection"):
        await post.source.watch(post.watched(password="", oauth=oauth).watch())
    post.connections.policy = EgressPolicy(["127.0.0.1"])
    with pytest.raises(Unavailable, match="does not exist"):
        await post.source.watch(post.watched(password="", oauth=oauth, folder="Unknown").watch())
    assert post.tokens.forgotten == 0


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_with_a_certificate_of_ones_own(tmp_path: Path, security: str) -> None:
    pem = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    async with running_imap_server(context, starttls=security == "starttls") as server:
        post = Post(server)
        await server.deliver(mail())
        watched = post.watched(security=security, certificate=pem.read_text())
        async with watched.by(post.source):
            await watched.until(1)
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await post.source.watch(post.watched(security=security).watch())
        post.connections.close()
