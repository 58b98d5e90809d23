"""HTTP for plugins: through the guard, bounded in time and size, without redirects."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from schemas.plugins.errors import ProviderRefused, ProviderUnavailable, Unanswered
from schemas.plugins.http import HttpReply
from transport.egress import EgressRefused

TIMEOUT_S = 30.0
"""For one request, from the first byte to the last."""

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


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MOST_BYTES:
            raise ProviderUnavailable(f"the provider's answer is longer than {_MOST_BYTES >> 20} MiB")
    return bytes(body)
