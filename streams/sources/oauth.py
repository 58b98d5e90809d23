"""Access tokens from refresh tokens, kept until shortly before they expire.

Some servers take each refresh token once, and answer with the next one. So whoever uses one has been given
its turn by the stage, after all that was told before; and the next one is kept before anything is done with
what has come with it.
"""

import asyncio
import time
from typing import Any, NamedTuple

from schemas.codec import Codec
from schemas.ids import new_id
from schemas.models import AppTrigger
from schemas.models.oauth_client import OAuthParams
from schemas.plugins.errors import ProviderError
from schemas.plugins.http import Http
from schemas.secrets import SecretBox, SecretUnreadable
from schemas.triggers.credentials import OAuthRefresh
from streams.insisting import Sender, insist
from streams.sources.commands import Kind, command
from streams.sources.tokens import TokenRow, fingerprint
from streams.sources.watching import Unavailable
from transport.definitions import TRIGGERS
from transport.errors import SendFailed
from transport.feed import DefinitionsFeed
from transport.oauth import refresh
from transport.producer import Send

_EARLY_S = 180
_DEFAULT_LIFE_S = 3600
_TURN_S = 20.0
"""How long an attempt waits for its turn. With the time of its request it is over well before `LEASE_S`."""

_CLOSE_S = 5.0
"""How long an attempt that is under way may still take when the worker stops."""


class _Access(NamedTuple):
    """An access token."""

    oauth: OAuthRefresh
    """What it was got with."""
    token: str
    good_until_s: float


class AccessTokens:
    """Of all sources of a worker. Methods are called on the loop's thread."""

    def __init__(
        self,
        http: Http,
        producer: Sender,
        codec: Codec,
        feed: DefinitionsFeed,
        secrets: SecretBox | None,
    ) -> None:
        self._http = http
        self._producer = producer
        self._codec = codec
        self._feed = feed
        self._secrets = secrets
        self._known: dict[str, _Access] = {}
        """By the id of the trigger."""
        self._turns: dict[str, asyncio.Future[TokenRow | None]] = {}
        """By the attempt that waits."""
        self._attempts: set[asyncio.Task[str]] = set()

    async def token(self, trigger: AppTrigger, oauth: OAuthRefresh) -> str:
        """One that is good for a while. `oauth`: of the trigger, in the clear. Raises `Unavailable`."""
        known = self._known.get(trigger.id)
        if known is not None and known.oauth == oauth and time.time() < known.good_until_s:
            return known.token
        attempt = asyncio.create_task(self._attempt(trigger, oauth))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)
        # A watcher that ends does not take its attempt along: what nobody hears may be a token that is lost.
        return await asyncio.shield(attempt)

    def forget(self, trigger: AppTrigger) -> None:
        """What it gave is not taken any more."""
        self._known.pop(trigger.id, None)

    def answer(self, attempt: str, row: TokenRow | None) -> None:
        """The stage has given the attempt its turn, or refused it (None)."""
        turn = self._turns.get(attempt)
        if turn is not None and not turn.done():
            turn.set_result(row)

    async def close(self) -> None:
        """Lets what is under way end, for a while. The producer must still be open."""
        for turn in self._turns.values():
            turn.cancel()
        if self._attempts:
            _, late = await asyncio.wait(self._attempts, timeout=_CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _attempt(self, trigger: AppTrigger, oauth: OAuthRefresh) -> str:
        if self._secrets is None:
            raise Unavailable("this worker needs HOPLINE_SECRET_KEY for the tokens of an OAuth server")
        attempt = {"attempt": new_id(), "configured": fingerprint(oauth)}
        row = await self._turn(trigger, attempt)
        attempt["before"] = row.sealed
        now = time.time()
        try:
            given = (
                self._secrets.decrypt(trigger.tenant_id, row.sealed) if row.sealed else oauth.refresh_token
            )
            token = await refresh(self._http, _params(oauth), given, now)
        except (ProviderError, SecretUnreadable) as error:
            await self._tell(trigger, {**attempt, "sealed": ""})
            raise Unavailable(f"{oauth.token_url}: {error}") from error
        following = token.credentials["refresh_token"]
        sealed = self._secrets.encrypt(trigger.tenant_id, following) if following != given else ""
        await self._tell(trigger, {**attempt, "sealed": sealed})
        life_s = token.expires_at - now if token.expires_at > 0 else _DEFAULT_LIFE_S
        access = token.credentials["access_token"]
        # Those that are over may be of triggers that are no more.
        self._known = {known: one for known, one in self._known.items() if one.good_until_s > now}
        self._known[trigger.id] = _Access(oauth, access, now + max(life_s - _EARLY_S, life_s / 2))
        return access

    async def _turn(self, trigger: AppTrigger, attempt: dict[str, Any]) -> TokenRow:
        """Asks for it, and waits until the stage has decided."""
        turn: asyncio.Future[TokenRow | None] = asyncio.get_running_loop().create_future()
        self._turns[attempt["attempt"]] = turn
        payload = {**attempt, "triggers_offset": self._feed.offset(TRIGGERS)}
        try:
            async with asyncio.timeout(_TURN_S):
                await self._producer.send(self._command(trigger, "REFRESH", payload))
                await asyncio.wait((turn,))
        except (TimeoutError, SendFailed):
            turn.cancel()
        finally:
            del self._turns[attempt["attempt"]]
        row = None if turn.cancelled() else turn.result()
        if turn.cancelled():
            # It may be given all the same, to nobody.
            await self._tell(trigger, {**attempt, "before": "", "sealed": ""})
        if row is None:
            raise Unavailable("its refresh token may be in use by another worker")
        return row

    async def _tell(self, trigger: AppTrigger, payload: dict[str, Any]) -> None:
        send = self._command(trigger, "TOKEN", payload)
        await insist(self._producer, send, f"the token of trigger {trigger.id} is not kept")

    def _command(self, trigger: AppTrigger, kind: Kind, payload: dict[str, Any]) -> Send:
        return command(self._codec, trigger.tenant_id, trigger.id, kind, payload)


def _params(oauth: OAuthRefresh) -> OAuthParams:
    return OAuthParams(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        authorize_url=oauth.token_url,  # nobody is sent there: the grant has been given
        token_url=oauth.token_url,
        client_auth="client_secret_post" if oauth.client_secret else "none",
    )
