"""Keeps credentials out of what is recorded: services like to say what they were sent."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "******"

_PUBLIC = frozenset({"username"})


def written_forms(credentials: Mapping[str, str]) -> list[str]:
    """The secret ones, and what they look like in URLs, JSON and basic authorization; longest first."""
    found = {value for name, value in credentials.items() if name not in _PUBLIC and value}
    if "username" in credentials:
        pair = f"{credentials['username']}:{credentials.get('password', '')}"
        found.add(base64.b64encode(pair.encode()).decode())
    written = {
        form for value in found for form in (quote(value, safe=""), quote_plus(value), _in_json(value))
    }
    return sorted(found | written, key=len, reverse=True)


def concealed(value: Any, secrets: Sequence[str]) -> Any:
    """The JSON value with secrets masked in its texts, names of members included."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {concealed(key, secrets): concealed(one, secrets) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(concealed(one, secrets) for one in value)
    return value


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]
