"""What of an HTTP request becomes part of the event. Pure, but for reading the request."""

from collections.abc import Mapping
from typing import Any

from multidict import MultiMapping

from ingress.errors import Malformed
from ingress.express.request import EventRequest
from schemas.event_data import MOST_LEVELS, dump_data
from schemas.triggers.parameters import Taken

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "x-hub-signature",
        "x-hub-signature-256",
        "webhook-signature",
        "svix-signature",
        "stripe-signature",
        "x-slack-signature",
        "x-gitlab-token",
        "x-telegram-bot-api-secret-token",
    }
)
"""What proves who sent the request is for the door only: events are kept and shown."""


def capture_headers(headers: Mapping[str, str], secret: frozenset[str] = SECRET_HEADERS) -> dict[str, Any]:
    """Lower-case names; several of one name joined as RFC 9110, section 5.3 says; without `secret`."""
    captured: dict[str, Any] = {
        lower: value for name, value in headers.items() if (lower := name.lower()) not in secret
    }
    if len(captured) == len(headers):
        return captured
    # Some are secret, or there several times.
    captured = {}
    for name, value in headers.items():
        name = name.lower()
        if name in secret:
            continue
        captured[name] = f"{captured[name]}, {value}" if name in captured else value
    return captured


def capture_query(query: MultiMapping[str]) -> dict[str, Any]:
    """A name that is there several times has a list."""
    return {name: values[0] if len(values := query.getall(name)) == 1 else list(values) for name in query}


def capture(
    request: EventRequest, taken: Taken, metadata: Mapping[str, Any], secret: frozenset[str]
) -> dict[str, Any]:
    """TriggerEvent.data of a request to a webhook, to be dumped. `secret`: headers that are not kept."""
    headers = request.headers
    captured = capture_headers(headers, secret)
    if taken.headers:
        captured |= {name: value for name, value in taken.headers.items() if name in captured}
    return {
        "type": "webhook",
        "source": {"ip": request.remote, "user_agent": headers.get("User-Agent")},
        "method": request.method,
        "path": request.path,
        "headers": captured,
        "query": taken.query,
        "body": taken.body,
        "metadata": metadata,
    }


def dump_event(value: Mapping[str, Any]) -> str:
    """TriggerEvent.data. Raises `Malformed` for what JSON cannot hold."""
    try:
        return dump_data(value)
    except TypeError:
        return _dump_cleaned(value)


def _dump_cleaned(value: Any) -> str:
    try:
        return dump_data(_clean(value))
    except (TypeError, RecursionError) as wrong:
        raise Malformed(f"the body is nested too deeply; at most {MOST_LEVELS} levels are taken") from wrong


def _clean(value: Any) -> Any:
    """aiohttp hands on header bytes that are no UTF-8 as lone surrogates, which JSON cannot hold."""
    if isinstance(value, str):
        return (
            value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        )
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    return [_clean(v) for v in value] if isinstance(value, list) else value
