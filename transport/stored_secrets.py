"""Whether a process has the key that secrets were stored with."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from schemas.secrets import SecretBox, SecretUnreadable
from schemas.triggers.kinds import KINDS
from transport.definitions import PROVIDERS, Definitions

_MOST_TRIED = 20
_MOST_OPENED = 500
"""Triggers, which are packed, and of which most have no secret."""


def are_readable(definitions: Definitions, box: SecretBox | None) -> bool:
    """False where secrets are stored and none of the first can be read. One that can be read is enough:
    others may be of a key that was lost. None, who has no key, can read none."""
    tried = [_opens(box, *stored) for stored in islice(_stored(definitions), _MOST_TRIED)]
    return any(tried) or not tried


def _opens(box: SecretBox | None, tenant_id: str, text: str) -> bool:
    if box is None:
        return False
    try:
        box.decrypt(tenant_id, text)
    except SecretUnreadable:
        return False
    return True


def _stored(definitions: Definitions) -> Iterator[tuple[str, str]]:
    """Tenant and encrypted text: of workflows, of what they use, and of what starts them."""
    for head in definitions.latest.heads:
        for variable in head.secret_variables:
            for text in _encrypted(variable.get("value")):
                yield head.tenant_id, text
    for kind in PROVIDERS.values():
        for provider in definitions.providers_of_account(kind, ""):
            for text in _encrypted(provider.model_dump(mode="json")):
                yield provider.tenant_id, text
    for subscription in definitions.subscriptions:
        for text in _encrypted([subscription.credentials, subscription.properties]):
            yield subscription.tenant_id, text
    sealed = (head for head in definitions.triggers.heads if head.type in KINDS and KINDS[head.type].sealed)
    for trigger in islice(sealed, _MOST_OPENED):
        for text in _encrypted(definitions.triggers[trigger.id].config):
            yield trigger.tenant_id, text


def _encrypted(value: Any) -> Iterator[str]:
    if isinstance(value, str) and SecretBox.is_encrypted(value):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _encrypted(one)
    elif isinstance(value, list):
        for one in value:
            yield from _encrypted(one)
