"""A row that could not be served, as the record of a dead letter, and back."""

from collections.abc import Sequence

from streams.shell.rows import BREAK
from streams.shell.stage import Kept, Record

_PART = "hopline-part:"
"""Before the key of a row that belongs to the one of the letter: they go together, and come back together."""

Headers = Sequence[tuple[str, bytes]]


def row_record(
    table: str,
    partition: int,
    key: str,
    value: bytes,
    kept: Kept,
    now: float,
    *,
    tenant_id: str | None = None,
) -> Record:
    """The row as a record of its changelog. It has no offset, since it was not read from there."""
    parts = [] if BREAK in key else kept.under(key + BREAK)
    headers = [(_PART + part, kept.get(part) or b"") for part in parts]
    return Record(
        f"changelog.{table}", partition, -1, key.encode(), value, headers, int(now * 1000), tenant_id
    )


def keys_of(row: Record) -> list[str]:
    """Of the row, and of all that belong to it."""
    return [(row.key or b"").decode(), *_parts(row.headers)]


def rows_of(record: Record) -> dict[str, bytes | None]:
    """What the letter of a row brings back, by the keys, the row itself first."""
    return {(record.key or b"").decode(): record.value, **_parts(record.headers)}


def _parts(headers: Headers) -> dict[str, bytes]:
    return {name.removeprefix(_PART): value for name, value in headers if name.startswith(_PART)}
