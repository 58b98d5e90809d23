"""What is too large for a message or for the history goes to the object storage. Pure: records in, records
and uploads out.

Three things travel by reference: a value among the outputs of an executor, a document in a message, a row of
a run. A record of the history keeps a summary, as the deployment's mode says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from schemas.codec import Record as AvroRecord
from schemas.references import (
    MARK,
    as_document,
    digest_of,
    may_have_references,
    reference,
    references_in,
    resolved,
    value_key,
)
from schemas.summaries import offloaded, offloaded_from, summary
from transport.values import Upload

Mode = Literal["NEVER", "ALWAYS", "SELECTIVE", "SYNC_ONLY"]

VALUE_BYTES = 256 * 1024
"""One output of an executor that is larger goes by reference, whatever the mode."""

DOCUMENT_BYTES = 1024 * 1024
"""Likewise a document in a message, and a row."""

MOST_BYTES = 2 * 1024 * 1024
"""What a field of a record has at most, whatever the mode: seven of them must fit into a message."""

_SYNCHRONOUS = frozenset({"debugging", "single-step"})
_ROW_MARK = b"@"
"""Begins a row that is elsewhere. No JSON begins with it."""


class Owner(NamedTuple):
    """Whose values they are: of a run, or of a trigger log."""

    tenant_id: str
    id: str

    def upload(self, content: bytes) -> Upload:
        """The object for `content`."""
        return Upload(self.key(digest_of(content)), content)

    def key(self, digest: str) -> str:
        """Where it is."""
        return value_key(self.tenant_id, self.id, digest)


@dataclass(frozen=True, slots=True)
class Offload:
    """How records are kept: HOPLINE_OFFLOAD."""

    mode: Mode = "SELECTIVE"
    threshold_bytes: int = VALUE_BYTES

    def limit(self, triggered_from: str) -> int:
        """The bytes that a field of a record of such a run may have; -1: even the smallest is offloaded."""
        if self.mode == "ALWAYS":
            return -1
        if self.mode == "NEVER" or (self.mode == "SYNC_ONLY" and triggered_from not in _SYNCHRONOUS):
            return MOST_BYTES
        return min(self.threshold_bytes, MOST_BYTES)


def slim(
    record: AvroRecord, fields: Sequence[str], owner: Owner, limit: int, uploads: list[Upload]
) -> AvroRecord:
    """The record with each of those fields that is too large, or has references in it, as a summary that says
    where the whole is; adds to `uploads`."""
    slimmed = {}
    for name in fields:
        document = record.get(name)
        if document and document != "{}" and (short := _slimmed(document, owner, limit, uploads)):
            slimmed[name] = short
    return {**record, **slimmed} if slimmed else record


def _slimmed(document: str, owner: Owner, limit: int, uploads: list[Upload]) -> str | None:
    """None for one that stays as it is."""
    size = size_of(document)
    if size <= limit and not may_have_references(document):
        return None
    content = document.encode()
    value = orjson.loads(content)
    if offloaded_from(value) is not None and size <= MOST_BYTES:
        return None
    references = list(references_in(value))
    if size <= limit and not references:
        return None
    upload = owner.upload(content)
    uploads.append(upload)
    shown = resolved(value, {found[MARK]: found.get("summary") for found in references})
    total = size + sum(found["size"] for found in references if isinstance(found.get("size"), int))
    return orjson.dumps(offloaded(summary(shown), owner.id, digest_of(content), total)).decode()


def brief(metadata: str | None) -> str | None:
    """The `execution_metadata` of a record. It is told, not kept: the values that loops had in each round may
    be too large, and are cut to summaries for good. Counts stay."""
    if not metadata or (size_of(metadata) <= MOST_BYTES and not may_have_references(metadata)):
        return metadata
    told = orjson.loads(metadata)
    shown = resolved(told, {found[MARK]: found.get("summary") for found in references_in(told)})
    shortened = orjson.dumps(shown)
    if len(shortened) > MOST_BYTES:
        shortened = orjson.dumps({name: summary(value) for name, value in shown.items()})
    return shortened.decode()


def packed(document: str, owner: Owner, uploads: list[Upload]) -> str:
    """A document as a message carries it: itself, or a reference to it; adds to `uploads`."""
    if size_of(document) <= DOCUMENT_BYTES:
        return document
    content = document.encode()
    uploads.append(owner.upload(content))
    return as_document(content)


def packed_row(row: bytes | None, owner: Owner, uploads: list[Upload]) -> bytes | None:
    """A row of a run as it is kept, likewise."""
    if row is None or len(row) <= DOCUMENT_BYTES:
        return row
    uploads.append(owner.upload(row))
    return _ROW_MARK + digest_of(row).encode()


def row_digest(row: bytes) -> str | None:
    """Of a row that is elsewhere; None for one that is here."""
    return row[len(_ROW_MARK) :].decode() if row.startswith(_ROW_MARK) else None


def packed_outputs(outputs: Mapping[str, bytes], owner: Owner, uploads: list[Upload]) -> dict[str, Any]:
    """The outputs of an executor, each given as JSON: those that are too large as references."""
    return {name: _packed_value(content, owner, uploads) for name, content in outputs.items()}


def _packed_value(content: bytes, owner: Owner, uploads: list[Upload]) -> Any:
    if len(content) <= VALUE_BYTES:
        return orjson.Fragment(content)
    uploads.append(owner.upload(content))
    return reference(content, orjson.loads(content))


def size_of(text: str) -> int:
    """In UTF-8, in bytes."""
    return len(text) if text.isascii() else len(text.encode())
