"""HTTP for plugins: through the guard, bounded in time and size, without redirects."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import orjson

from schemas.plugins.errors import ProviderRefused, ProviderUnavailable, Unanswered
from schemas.plugins.http import Http, HttpReply
from transport.egress import EgressRefused
from transport.masking import concealed, secrets_in

TIMEOUT_S = 30.0
"""For one request, from the first byte to the last."""

KEY_HEADER = "Idempotency-Key"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_MOST_BYTES = 4 * 1024 * 1024


class PluginHttp:
    """See `schemas.plugins.http.Http`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """`session` decides what may be reached."""
        self._session = session

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """See `Http.__call__`."""
        sent = {"Accept": "application/json", **(headers or {})}
        data: Any = None
        if json is not None:
            data, sent["Content-Type"] = orjson.dumps(json), "application/json"
        elif form is not None:
            data, sent["Content-Type"] = aiohttp.FormData(form), "application/x-www-form-urlencoded"
        try:
            async with self._session.request(
                method,
                url,
                headers=sent,
                params=query,
                data=data,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as response:
                return HttpReply(response.status, await _read(response), response.headers)
        except EgressRefused as refused:
            raise ProviderRefused(str(refused)) from refused
        except (aiohttp.InvalidURL, ValueError) as wrong:
            raise ProviderRefused("the provider has no valid URL") from wrong
        except (aiohttp.ClientError, OSError) as failed:  # TimeoutError is one
            # The text of a client's error may have the URL in it, and a URL a token.
            reason = "no answer in time" if isinstance(failed, TimeoutError) else type(failed).__name__
            raise Unanswered(f"the provider cannot be reached: {reason}") from failed


class KeyedHttp:
    """`Http` whose requests that change something carry an `Idempotency-Key`, unless the plugin has set one:
    a provider can tell that one is made again."""

    def __init__(self, http: Http, key: str) -> None:
        """`key`: of all that is done together. Each request has its number in that besides."""
        self._http = http
        self._key = key
        self._sent = 0

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """See `Http.__call__`."""
        sent = dict(headers or {})
        if method.upper() not in _SAFE and all(name.lower() != KEY_HEADER.lower() for name in sent):
            self._sent += 1
            sent[KEY_HEADER] = f"{self._key}/{self._sent}"
        return await self._http(method, url, headers=sent, query=query, json=json, form=form)


class DiscreetHttp:
    """`Http` whose refusals repeat no secret: what a provider says in one is shown to users."""

    def __init__(self, http: Http, secrets: Iterable[str]) -> None:
        """`secrets`: what the plugin sends, and nobody is to see."""
        self._http = http
        self._hide = secrets_in(secrets)

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """See `Http.__call__`."""
        reply = await self._http(method, url, headers=headers, query=query, json=json, form=form)
        if reply.status < 300:
            return reply
        said = concealed(reply.body.decode("utf-8", "surrogateescape"), self._hide)
        return replace(reply, body=said.encode("utf-8", "surrogateescape"))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MOST_BYTES:
            raise ProviderUnavailable(f"the provider's answer is longer than {_MOST_BYTES >> 20} MiB")
    return bytes(body)
