"""Keeps secrets out of what is recorded: services like to say what they were sent."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "******"


def written_forms(secrets: Iterable[str]) -> list[str]:
    """The secrets, and what they look like in URLs and in JSON; longest first."""
    found = {secret for secret in secrets if secret}
    return sorted({form for secret in found for form in _forms(secret)}, key=len, reverse=True)


def concealed(value: Any, forms: Sequence[str]) -> Any:
    """The JSON value with secrets masked in its texts, names of members included."""
    if not forms:
        return value
    if isinstance(value, str):
        for form in forms:
            value = value.replace(form, MASK)
        return value
    if isinstance(value, Mapping):
        return {concealed(key, forms): concealed(one, forms) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(concealed(one, forms) for one in value)
    return value


def _forms(secret: str) -> tuple[str, ...]:
    in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    return (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), *in_json)
