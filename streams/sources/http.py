"""Requests of sources to what tenants have named: guarded, bounded, and with errors that say where."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from streams.sources.watching import Unavailable
from transport.egress import EgressRefused

_CHUNK_BYTES = 65_536
_MOST_BYTES = 16 << 20
_TYPES = {"data": "application/x-www-form-urlencoded", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a server."""

    status: int
    body: Any
    """The JSON of it; None where it is none."""


class Http:
    """One session for all sources of a worker."""

    def __init__(self, session: aiohttp.ClientSession, timeout_s: float) -> None:
        """`session` reaches what tenants may name."""
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **content: Any
    ) -> Answer:
        """Any answer, without redirects. Raises `Unavailable` where there is none, or one that is too long.

        `content`: params, data (a form) or json, as aiohttp takes them.
        """
        # The session, which nodes share, adds no Content-Type of its own.
        types = [kind for name, kind in _TYPES.items() if name in content]
        told = {**(headers or {}), **({"Content-Type": types[0]} if types else {})}
        try:
            async with self._session.request(
                method, url, headers=told, timeout=self._timeout, allow_redirects=False, **content
            ) as response:
                body = await _read(response)
                return Answer(response.status, _json(body))
        except (aiohttp.ClientError, TimeoutError, EgressRefused, ValueError) as error:
            raise Unavailable(f"{method} {_shown(url)}: {error or 'no answer in time'}") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError(f"the answer has more than {_MOST_BYTES} bytes")
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _shown(url: str) -> str:
    """Without its query."""
    return url.partition("?")[0]
