"""A provider's OpenAI-compatible endpoint: its addresses, its headers, its key. And requests of JSON to it,
for what is neither chat nor streamed."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential
from yarl import URL

from schemas.models.model_provider import ModelProvider
from transport.bounded import ReplyTooLong, whole
from transport.egress import EgressRefused
from transport.errors import ModelRefused
from transport.masking import concealed, secrets_in
from transport.retry_after import retry_after_s

_MAX_REPLY_BYTES = 64 << 20
_SHOWN_CHARS = 300
_FIRST_WAIT_S = 0.5
_PASSING = frozenset({408, 409, 429, 500, 502, 503, 504})


class _Passing(ModelRefused):
    """Worth another attempt, after the time that the endpoint wants to be left alone."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def wait_s(provider: ModelProvider, state: RetryCallState, wanted_s: float | None) -> float:
    """Before the next attempt; `wanted_s`: how long the endpoint wants to be left alone, if it says so."""
    jittered = wait_random_exponential(_FIRST_WAIT_S, provider.max_retry_wait_s)(state)
    # All that were refused together must not come back together.
    return jittered if wanted_s is None else min(wanted_s + jittered, provider.max_retry_wait_s)


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """A provider of a tenant with its key in the clear. Any number of requests may be under way."""

    provider: ModelProvider
    api_key: str | None
    session: aiohttp.ClientSession
    """Decides what may be reached."""

    def url(self, *path: str) -> URL:
        """Below the base, whose query stays."""
        base = URL(self.provider.base_url)
        return base.joinpath(*path).with_query(base.query)

    def headers(self, idempotency_key: str | None = None) -> dict[str, str]:
        """Of a request of JSON, the API key among them. An `Idempotency-Key` of the provider's own headers
        wins."""
        headers = {**self.provider.headers, "Content-Type": "application/json"}
        if idempotency_key is not None and all(name.lower() != "idempotency-key" for name in headers):
            headers["Idempotency-Key"] = idempotency_key
        if self.api_key:
            name = self.provider.api_key_header
            headers[name] = f"Bearer {self.api_key}" if name.lower() == "authorization" else self.api_key
        return headers

    def without_key(self, reply: bytes) -> bytes:
        """For errors: some endpoints repeat the key that they refuse, with whatever JSON may escape."""
        if not self.api_key:
            return reply
        reply = reply.replace(self.api_key.encode(), b"***")
        return re.sub(_escaped(self.api_key), b"***", reply) if b"\\" in reply else reply

    def without_key_in(self, text: str) -> str:
        """For what a client says of a reply: it may quote it, in an encoding of its own."""
        found: str = concealed(text, secrets_in([self.api_key or ""]))
        return found

    async def post(self, path: str, body: Mapping[str, Any], idempotency_key: str | None = None) -> Any:
        """The reply, parsed. All attempts carry the same key.

        Raises `ModelRefused` once the provider's retries or its time are used up, or of no use.
        """
        attempts = AsyncRetrying(
            stop=stop_after_attempt(self.provider.max_retries + 1),
            wait=self._wait_s,
            retry=retry_if_exception(self._may_pass),
            reraise=True,
        )
        try:
            async with asyncio.timeout(self.provider.timeout_s):
                return await attempts(self._attempt, path, orjson.dumps(body), idempotency_key)
        except TimeoutError as error:
            limit = f"{self.provider.timeout_s:g} s"
            raise ModelRefused(f"{self._who} did not answer within {limit}") from error

    async def _attempt(self, path: str, payload: bytes, idempotency_key: str | None) -> Any:
        provider = self.provider
        try:
            async with self.session.post(
                self.url(path),
                data=payload,
                headers=self.headers(idempotency_key),
                timeout=aiohttp.ClientTimeout(
                    connect=provider.connect_timeout_s, sock_read=provider.read_timeout_s
                ),
                allow_redirects=False,  # another host must not get the key
            ) as response:
                reply, status = await whole(response, _MAX_REPLY_BYTES), response.status
                asked_s = retry_after_s(response.headers)
        except EgressRefused as refused:
            raise ModelRefused(f"{self._who}: {refused}") from refused
        except ReplyTooLong as too_long:
            raise ModelRefused(f"{self._who}: {too_long}") from too_long
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            why = self.without_key_in(str(error)) or "no answer in time"
            raise _Passing(f"{self._who} cannot be reached: {why}") from error
        if status != 200:
            said = f"{self._who} answers with status {status}: {self._shown(reply)}"
            raise _Passing(said, asked_s) if status in _PASSING else ModelRefused(said)
        try:
            return orjson.loads(reply)
        except orjson.JSONDecodeError as error:
            raise ModelRefused(f"{self._who} answers what is not JSON: {self._shown(reply)}") from error

    def _may_pass(self, error: BaseException) -> bool:
        return isinstance(error, _Passing) and (error.retry_after_s or 0) <= self.provider.max_retry_wait_s

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return wait_s(self.provider, state, error.retry_after_s if isinstance(error, _Passing) else None)

    @property
    def _who(self) -> str:
        return f"model provider {self.provider.name!r}"

    def _shown(self, reply: bytes) -> str:
        text = self.without_key(reply).decode("utf-8", "replace")
        return " ".join(text[:_SHOWN_CHARS].split())


def _escaped(key: str) -> bytes:
    """A pattern for the key in JSON: each character as it is, behind a backslash, or by its number."""
    return b"".join(rb"(?:\\?%b|\\u(?i:%04x))" % (re.escape(char.encode()), ord(char)) for char in key)
