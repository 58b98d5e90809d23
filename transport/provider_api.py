"""Asking a provider's API for a tenant: guarded, bounded, and with words for what fails."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp
import orjson

from transport.egress import EgressRefused
from transport.errors import TransportError

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
_MAX_BYTES = 4 * 1024 * 1024
_USER_AGENT = "Hopline"


class ProviderRefused(Exception):
    """The provider has answered, and what it says is for whoever has configured this."""


class ProviderUnavailable(TransportError):
    """The provider does not answer, or is busy: the same again later."""


class Answer(NamedTuple):
    """What a provider has said."""

    status: int
    document: Any
    """None where it is no JSON."""
    retry_after_s: float
    """What it asks to wait; 0 where it does not."""


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    token: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> Answer:
    """One request with a bearer token. Raises `ProviderRefused` for an address that must not be reached,
    `ProviderUnavailable`."""
    given = {"Authorization": f"Bearer {token}", "User-Agent": _USER_AGENT, **(headers or {})}
    host = url.split("/")[2]
    try:
        async with session.request(method, url, headers=given, params=params, timeout=_TIMEOUT) as response:
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise ProviderRefused(f"{host} answers with more than {_MAX_BYTES} bytes")
            return Answer(response.status, _document(content), _retry_after(response))
    except EgressRefused as refused:
        raise ProviderRefused(str(refused)) from refused
    except (aiohttp.ClientError, TimeoutError) as failed:
        raise ProviderUnavailable(f"{host} cannot be asked: {str(failed) or 'it took too long'}") from failed


def _document(content: bytearray) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _retry_after(response: aiohttp.ClientResponse) -> float:
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdigit() else 0.0
