"""Whether a process has the key that secrets were stored with."""

from collections.abc import Iterator
from typing import Any

from schemas.secrets import SecretBox, SecretUnreadable
from transport.definitions import PROVIDERS, Definitions

_MOST_TRIED = 20


def are_readable(definitions: Definitions, box: SecretBox) -> bool:
    """False where secrets are stored and none of the first can be read. One that can be read is enough:
    others may be of a key that was lost."""
    tried = 0
    for tenant_id, text in _stored(definitions):
        try:
            box.decrypt(tenant_id, text)
        except SecretUnreadable:
            tried += 1
        else:
            return True
        if tried == _MOST_TRIED:
            break
    return not tried


def _stored(definitions: Definitions) -> Iterator[tuple[str, str]]:
    """Tenant and encrypted text, of workflows and of what they use."""
    for head in definitions.latest.heads:
        for variable in head.secret_variables:
            for text in _encrypted(variable.get("value")):
                yield head.tenant_id, text
    for kind in PROVIDERS.values():
        for one in definitions.providers_of_account(kind, ""):
            for text in _encrypted(one.model_dump(mode="json")):
                yield one.tenant_id, text


def _encrypted(value: Any) -> Iterator[str]:
    if isinstance(value, str) and SecretBox.is_encrypted(value):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _encrypted(one)
    elif isinstance(value, list):
        for one in value:
            yield from _encrypted(one)
