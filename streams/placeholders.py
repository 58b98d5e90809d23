"""What stands for a secret everywhere but inside the executor that uses it.

Whoever sends an event must not be able to write one: a node would put the secret in, and send it along. So a
placeholder is made of what the secret was encrypted to, which nobody is shown, and no record has it either:
there its selector stands for it.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from schemas.codec import Record

_BEGIN = "{{#env:"
_DIGITS = 32


def placeholder(variable: Mapping[str, Any]) -> str:
    """Of a secret variable: the same for each version that has it, in every process. Plain ASCII."""
    digest = hashlib.sha256(f"placeholder/{variable.get('value')}".encode()).hexdigest()
    return f"{_BEGIN}{digest[:_DIGITS]}#}}}}"


def without_placeholders(record: Record, secrets: Collection[Mapping[str, Any]]) -> Record:
    """A record as it is kept: each of these secret variables shown by its selector."""
    if not secrets or not any(isinstance(text, str) and _BEGIN in text for text in record.values()):
        return record
    shown = {placeholder(one): _selector(str(one.get("name"))) for one in secrets}
    return {name: _replaced(value, shown) for name, value in record.items()}


def _selector(name: str) -> str:
    """Within JSON or outside of it: what would have to be escaped is left out."""
    return "{{#env." + "".join(sign for sign in name if sign.isprintable() and sign not in '"\\') + "#}}"


def _replaced(value: Any, shown: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for old, new in shown.items():
            value = value.replace(old, new)
    return value
