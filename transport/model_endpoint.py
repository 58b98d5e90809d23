"""One request of JSON to an OpenAI-compatible endpoint, for what is neither chat nor streamed."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from schemas.models.model_provider import ModelProvider
from transport.errors import ModelRefused

_MAX_REPLY_BYTES = 64 << 20
_SHOWN_CHARS = 300
_FIRST_WAIT_S = 0.5
_PASSING = frozenset({408, 409, 429, 500, 502, 503, 504})


class _Passing(Exception):
    """Worth another attempt."""


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """A provider of a tenant with its key in the clear. Any number of requests may be under way."""

    provider: ModelProvider
    api_key: str | None
    session: aiohttp.ClientSession
    """Decides what may be reached."""

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The reply, parsed. Raises `ModelRefused` once the provider's retries are used up, or of no use."""
        payload = orjson.dumps(body)
        for attempt in range(self.provider.max_retries + 1):
            try:
                return await self._attempt(path, payload)
            except _Passing as passing:
                if attempt == self.provider.max_retries:
                    raise ModelRefused(str(passing)) from passing
            most = min(_FIRST_WAIT_S * 2**attempt, self.provider.max_retry_wait_s)
            await asyncio.sleep(random.uniform(most / 2, most))  # noqa: S311 - spreads retries
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, path: str, payload: bytes) -> Any:
        provider = self.provider
        base, who = URL(provider.base_url), f"model provider {provider.name!r}"
        timeout = aiohttp.ClientTimeout(total=provider.timeout_s, connect=provider.connect_timeout_s)
        try:
            async with self.session.post(
                base.joinpath(path).with_query(base.query),
                data=payload,
                headers=self._headers(),
                timeout=timeout,
                allow_redirects=False,  # another host must not get the key
            ) as response:
                reply, status = await _read(response), response.status
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            raise _Passing(f"{who} cannot be reached: {error or 'no answer in time'}") from error
        if status in _PASSING:
            raise _Passing(f"{who} answers with status {status}: {self._shown(reply)}")
        if status != 200:
            raise ModelRefused(f"{who} answers with status {status}: {self._shown(reply)}")
        try:
            return orjson.loads(reply)
        except orjson.JSONDecodeError as error:
            raise ModelRefused(f"{who} answers what is not JSON: {self._shown(reply)}") from error

    def _headers(self) -> dict[str, str]:
        headers = {**self.provider.headers, "Content-Type": "application/json"}
        if self.api_key:
            name = self.provider.api_key_header
            headers[name] = f"Bearer {self.api_key}" if name.lower() == "authorization" else self.api_key
        return headers

    def _shown(self, reply: bytes) -> str:
        """Without the key, which some endpoints repeat."""
        text = " ".join(reply[:_SHOWN_CHARS].decode("utf-8", "replace").split())
        return text.replace(self.api_key, "***") if self.api_key else text


async def _read(response: aiohttp.ClientResponse) -> bytes:
    reply = bytearray()
    async for piece in response.content.iter_any():
        reply += piece
        if len(reply) > _MAX_REPLY_BYTES:
            raise ModelRefused(f"the reply of the model is longer than {_MAX_REPLY_BYTES >> 20} MB")
    return bytes(reply)
