"""What an answer other than 200 means, and what to do about it. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from streams.executors.models.errors import (
    InvokeAuthorizationError,
    InvokeBadRequestError,
    InvokeError,
    InvokeRateLimitError,
    InvokeServerUnavailableError,
)
from transport.retry_after import retry_after_s

_SHOWN_CHARS = 500
_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


def refusal(status: int, headers: Mapping[str, str], body: bytes, who: str, where: str) -> InvokeError:
    """`who`: provider and model, in the words of the node. `where` it redirects to, if it does."""
    told, code = explained(body)
    said = f"{who} answered {status}" + (f": {told}" if told else "")
    if status in (401, 403):
        return InvokeAuthorizationError(
            f"{said}. Check credentials.api_key of the model provider", status_code=status
        )
    if status == 429 and code in _NO_CREDIT:
        return InvokeRateLimitError(f"{said}. The account has no credit left", status_code=status)
    if status == 429:
        return InvokeRateLimitError(
            f"{said}. Send less at a time, or raise the limit at the provider",
            passing=True,
            status_code=status,
            retry_after_s=retry_after_s(headers),
        )
    if status >= 500 or status in (408, 409):
        return InvokeServerUnavailableError(
            said, passing=True, status_code=status, retry_after_s=retry_after_s(headers)
        )
    if 300 <= status < 400:
        return InvokeBadRequestError(
            f"{said}: it redirects to {where}. Set base_url to where it leads", status_code=status
        )
    if status == 404:
        return InvokeBadRequestError(f"{said}. Check base_url and the name of the model", status_code=status)
    return InvokeBadRequestError(said, status_code=status)


def explained(body: bytes) -> tuple[str, str | None]:
    """(message, code) of an error document of any of the usual shapes, else the beginning of the text."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _short(body.decode("utf-8", "replace")), None
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # as Gemini answers
    if not isinstance(document, dict):
        return _short(str(document)), None
    error = document.get("error", document)
    if not isinstance(error, dict):
        return _short(str(error)), None
    told: Any = error.get("message") or error.get("detail") or error.get("msg") or error
    code = error.get("code") or error.get("type")
    return _short(told if isinstance(told, str) else orjson.dumps(told).decode()), str(code) if code else None


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
