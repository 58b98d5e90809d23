"""Which deliveries are the same event? Pure: headers and content in, trigger_id and window out."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from schemas.ids import bytes_id, content_id
from schemas.paths import lookup

DELIVERY_WINDOW_MS = 24 * 3_600_000
"""A producer that names its deliveries repeats a name only to repeat the delivery."""

CONTENT_WINDOW_MS = 30_000
"""Equal content may be two events, unless one follows the other closely."""

_DELIVERY_HEADERS = ("webhook-id", "x-github-delivery", "idempotency-key", "svix-id")
_MAX_ID_CHARS = 200


def delivery_id(headers: Mapping[str, str], signed: str = "") -> str | None:
    """The producer's own name for the delivery: Standard Webhooks and Svix, GitHub, Idempotency-Key,
    CloudEvents. `signed`: a header whose word goes before all others, which anybody may have added."""
    for name in (signed, *_DELIVERY_HEADERS):
        if given := headers.get(name):
            return bounded(given)
    event_id, source = headers.get("ce-id"), headers.get("ce-source")
    # A URI reference has no space, so that two different pairs cannot give the same text.
    return bounded(f"{source} {event_id}") if event_id and source else None


def named_by(paths: Sequence[str], event: Mapping[str, Any]) -> str | None:
    """The values at the dotted paths into the event, as one name: a single text or integer as it is, else the
    SHA-256 of their JSON. None where one of them is not there, or null."""
    values = []
    for path in paths:
        found, value = lookup(event, path)
        if not found or value is None:
            return None
        values.append(value)
    if not values:
        return None
    single = values[0]
    if len(values) == 1 and isinstance(single, str | int) and not isinstance(single, bool) and single != "":
        return bounded(str(single))
    return content_id(values)


def content_identity(parsed: Any, raw: bytes, request_line: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of the body, of its bytes where it is not JSON or a form.

    An empty body stands for its request line: method, path and query. Raises `TypeError` for nesting
    that JSON cannot be written with.
    """
    if not raw:
        return content_id(request_line)
    return content_id(parsed) if isinstance(parsed, dict | list) else bytes_id(raw)


def window_ms(named: bool, override_s: float | None) -> int:
    """How long an equal trigger_id is a duplicate; 0 is never."""
    if override_s is not None:
        return round(override_s * 1000)
    return DELIVERY_WINDOW_MS if named else CONTENT_WINDOW_MS


def bounded(given: str) -> str:
    """A delivery id as it is, unless it could not travel as a key: too long, or bytes that are no text."""
    if len(given) <= _MAX_ID_CHARS and given.isascii():
        return given
    return sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
