"""References: what stands for a value that is too large to travel, and where the value itself is.

A value belongs to an owner, a run or a trigger log, and is named by the SHA-256 of its JSON. So an object
never changes, doing something again writes the same object, and a reference leads nowhere but to what its own
run has stored: one that somebody puts into the data of a webhook cannot name a value of somebody else.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from schemas.summaries import summary

VALUES = "values"
"""The prefix of their keys."""

MARK = "__hopline_ref__"
"""The key that tells a reference from other objects."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MARK_BYTES = MARK.encode()


def reference(content: bytes, value: Any) -> dict[str, Any]:
    """What stands for `value`, whose JSON is `content`: its digest, its size in bytes, and its summary."""
    return {MARK: digest_of(content), "size": len(content), "summary": summary(value)}


def digest_of(content: bytes) -> str:
    """The name of an object: SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()


def is_reference(value: Any) -> bool:
    """Whether it stands for a value that is elsewhere."""
    return type(value) is dict and MARK in value and _DIGEST.fullmatch(str(value[MARK])) is not None


def may_have_references(document: str | bytes) -> bool:
    """Whether JSON is worth being looked through. Fast."""
    return MARK in document if isinstance(document, str) else _MARK_BYTES in document


def references_in(value: Any) -> Iterator[dict[str, Any]]:
    """Those anywhere in a JSON value."""
    if is_reference(value):
        yield value
    elif type(value) is dict:
        for item in value.values():
            yield from references_in(item)
    elif type(value) is list:
        for item in value:
            yield from references_in(item)


def resolved(value: Any, values: Mapping[str, Any]) -> Any:
    """The value with the references that `values` has, by digest, replaced by what they stand for."""
    if is_reference(value):
        return values.get(value[MARK], value)
    if type(value) is dict:
        return {name: resolved(item, values) for name, item in value.items()}
    return [resolved(item, values) for item in value] if type(value) is list else value


def value_key(tenant_id: str, owner_id: str, digest: str) -> str:
    """Where the object is in the storage."""
    return f"{VALUES}/{tenant_id}/{owner_id}/{digest}"


def as_document(content: bytes) -> str:
    """A reference as a JSON document that stands for another one, without a summary: for messages."""
    return orjson.dumps({MARK: digest_of(content), "size": len(content)}).decode()


def document_digest(document: str | bytes) -> str | None:
    """The digest where a document is nothing but a reference, else None. Fast."""
    if not may_have_references(document[:64]):
        return None
    value = orjson.loads(document)
    return str(value[MARK]) if is_reference(value) else None
