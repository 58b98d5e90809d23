"""A real IMAP server (pymap) with mailboxes in memory, for tests to watch."""

import asyncio
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import Config, DictBackend, Identity, Login
from pymap.config import BackendCapability
from pymap.exceptions import InvalidAuth
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement
from pymap.parsing.specials.flag import Seen
from pysasl import SASLAuth
from pysasl.creds.external import ExternalCredentials
from pysasl.hashing import Cleartext
from pysasl.mechanism.oauth import OAuth2Mechanism

USER, PASSWORD, TOKEN = "support@example.com", "secret", "a-token"


class _Login(Login):
    """Takes an access token as well."""

    async def authenticate(self, credentials: Any) -> Identity:
        if not isinstance(credentials, ExternalCredentials):
            return await super().authenticate(credentials)
        if credentials._token != TOKEN:
            raise InvalidAuth
        return Identity(credentials.authzid, self, None, set())


class _Config(Config):
    idles = True

    @property
    def backend_capability(self) -> BackendCapability:
        return BackendCapability(idle=self.idles, object_id=True, multi_append=True)

    @property
    def tls_auth(self) -> SASLAuth:
        return SASLAuth([*SASLAuth.defaults().server_mechanisms, OAuth2Mechanism()])


@dataclass
class ImapServer:
    """Running. What it holds outlives connections."""

    port: int
    config: _Config
    _backend: DictBackend
    _transports: set[asyncio.StreamWriter]

    async def deliver(
        self, message: EmailMessage | bytes, folder: str = "INBOX", at: datetime | None = None
    ) -> int:
        """The UID it gets."""
        content = message if isinstance(message, bytes) else message.as_bytes()
        mailbox = await self._mailbox(folder)
        arrived = (at or datetime.now(UTC)).replace(microsecond=0)
        kept = await mailbox.append(AppendMessage(content, arrived, frozenset()))
        return int(kept.uid)

    async def seen(self, folder: str = "INBOX") -> set[int]:
        """The UIDs of what is marked as read."""
        mailbox = await self._mailbox(folder)
        return {m.uid async for m in mailbox.messages() if Seen in m.permanent_flags}

    async def recreate(self, folder: str) -> None:
        """The same messages under other UIDs, as after a restore."""
        before = await self._mailbox(folder)
        messages = [m async for m in before.messages()]
        mailboxes = await self._mailboxes()
        await mailboxes.delete_mailbox(folder)
        await mailboxes.add_mailbox(folder)
        for message in messages:
            content = bytes((await message.load_content(FetchRequirement.CONTENT)).content)
            await self.deliver(content, folder, message.internal_date)

    def hang_up(self) -> None:
        """Ends all connections."""
        for writer in self._transports:
            writer.transport.abort()
        self._transports.clear()

    async def _mailboxes(self) -> Any:
        async with Identity(USER, self._backend.login, None, set()).new_session() as session:
            return session.mailbox_set

    async def _mailbox(self, folder: str) -> Any:
        return await (await self._mailboxes()).get_mailbox(folder)


@asynccontextmanager
async def running_imap_server(
    context: ssl.SSLContext | None = None, *, starttls: bool = False, idle: bool = True
) -> AsyncIterator[ImapServer]:
    """`context`: with TLS from the start, or (`starttls`) when the client asks for it."""
    args = Namespace(passlib_cfg=None, proxy_protocol=None, inherited_sockets=None)
    config = _Config(
        args, host="127.0.0.1", port=0, demo_data=False, demo_user=USER, demo_password=PASSWORD,
        tls_enabled=starttls, ssl_context=context, invalid_user_sleep=0,
        hash_context=Cleartext(),
    )  # fmt: skip
    config.idles = idle
    login = _Login(config)
    await DictBackend._add_demo_user(config, login)
    config.apply_context()
    writers: set[asyncio.StreamWriter] = set()
    serve = ProxyProtocolReader(ProxyProtocolNoop()).get_callback(IMAPServer(login, config))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        await serve(reader, writer)

    async with AsyncExitStack() as stack:
        wrap = None if starttls else context
        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=wrap)
        stack.callback(server.close)
        running = ImapServer(server.sockets[0].getsockname()[1], config, DictBackend(login, config), writers)
        for folder in ("Support",):
            await (await running._mailboxes()).add_mailbox(folder)
        yield running
        running.hang_up()
