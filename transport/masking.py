"""Keeps secrets out of what is recorded: services like to say what they were sent."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

MASK = "******"

Secrets = re.Pattern[str]
"""What finds secrets, however they are written."""


def secrets_in(values: Iterable[str]) -> Secrets | None:
    """As they are, as in URLs (of whose characters every library encodes others), and as in JSON.

    None where there is nothing to be masked.
    """
    patterns = sorted({"".join(map(_written, value)) for value in values if value}, key=len, reverse=True)
    return re.compile("|".join(patterns)) if patterns else None


def concealed(value: Any, secrets: Secrets | None) -> Any:
    """The JSON value with secrets masked in its texts, names of members included."""
    if secrets is None:
        return value
    if isinstance(value, str):
        return secrets.sub(MASK, value)
    if isinstance(value, Mapping):
        return {concealed(key, secrets): concealed(one, secrets) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(concealed(one, secrets) for one in value)
    return value


def concealed_file(content: bytes, secrets: Secrets | None) -> bytes:
    """Likewise a file that is text in UTF-8. Any other stays as it is: a match in it would be chance."""
    if secrets is None:
        return content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    return secrets.sub(MASK, text).encode()


def _written(sign: str) -> str:
    """One character, as a pattern for all that may stand for it."""
    if sign.isascii() and sign.isalnum():
        return sign
    percents = "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))
    forms = [sign, quote(sign, safe="", errors="surrogatepass"), percents, percents.lower()]
    forms += [json.dumps(sign)[1:-1], json.dumps(sign, ensure_ascii=False)[1:-1]]
    if sign == " ":
        forms.append("+")
    return f"(?:{'|'.join(map(re.escape, sorted(set(forms), key=len, reverse=True)))})"
