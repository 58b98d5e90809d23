"""Requests of sources to what tenants have named, with errors that say where."""

from collections.abc import Mapping
from typing import Any

import orjson

from schemas.plugins.errors import ProviderError
from schemas.plugins.http import Http, HttpReply
from streams.sources.watching import Unavailable


async def ask(http: Http, method: str, url: str, **request: Any) -> HttpReply:
    """Any answer; `request` as `Http` takes it. Raises `Unavailable` where there is none."""
    try:
        return await http(method, url, **request)
    except ProviderError as error:
        raise Unavailable(f"{method} {url}: {error}") from error


def object_of(reply: HttpReply) -> Mapping[str, Any]:
    """The JSON object that was answered; empty where it is none."""
    try:
        found = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
