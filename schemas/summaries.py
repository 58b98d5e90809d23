"""Summaries: a large value cut down to what a reader of the history needs, still JSON of the same type."""

import re
from typing import Any

SUMMARY_BYTES = 4096
"""About what a summary has at most."""

OFFLOADED = "__hopline_offloaded__"
"""The key that a record has beside its summary: the `owner` and the `digest` of the whole (see
`schemas.references`), and its `size` in bytes."""

_OWNER = re.compile(r"[0-9a-f-]{36}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ELLIPSIS = "..."
_OVERHEAD = 8
"""Bytes of JSON around an item, and the least that is worth showing of one."""


def summary(value: Any, size_bytes: int = SUMMARY_BYTES) -> Any:
    """Texts are cut and end in `...`, of lists the first items stay, of objects as many as there is room for,
    each with an equal share of the room. Numbers, booleans and null stay."""
    return _cut(value, size_bytes)[0]


def offloaded(summarised: Any, owner_id: str, digest: str, size_bytes: int) -> dict[str, Any]:
    """The record of a document of which only the summary is there."""
    shown = summarised if isinstance(summarised, dict) else {"summary": summarised}
    return {**shown, OFFLOADED: {"owner": owner_id, "digest": digest, "size": size_bytes}}


def _cut(value: Any, room: int) -> tuple[Any, int]:
    """What is left of the value, and about how many bytes that is."""
    if isinstance(value, str):
        return _cut_text(value, room)
    if isinstance(value, list):
        return _cut_list(value, room)
    if isinstance(value, dict):
        return _cut_object(value, room)
    return value, _OVERHEAD


def _cut_text(text: str, room: int) -> tuple[str, int]:
    # No text of that many characters has more than four times as many bytes.
    if len(text) * 4 <= room:
        return text, len(text) * 4 + _OVERHEAD
    size = len(text[: room + 1].encode(errors="replace"))
    if size <= room:
        return text, size + _OVERHEAD
    return text[: max(room * len(text[: room + 1]) // size, 0)] + _ELLIPSIS, room + _OVERHEAD


def _cut_list(items: list[Any], room: int) -> tuple[list[Any], int]:
    kept: list[Any] = []
    used = 0
    for item in items:
        if used + _OVERHEAD > room:
            break
        item, size = _cut(item, room - used)
        kept.append(item)
        used += size
    return kept, used + _OVERHEAD


def _cut_object(entries: dict[str, Any], room: int) -> tuple[dict[str, Any], int]:
    kept: dict[str, Any] = {}
    used, left = 0, len(entries)
    for name, item in entries.items():
        share = (room - used) // left - len(name) - _OVERHEAD
        left -= 1
        if share < 0 and kept:
            continue
        kept[name], size = _cut(item, max(share, 0))
        used += size + len(name) + _OVERHEAD
        if used > room:
            break
    return kept, used + _OVERHEAD


def offloaded_from(record: Any) -> tuple[str, str] | None:
    """Owner and digest of what a record leaves out; None where it is whole."""
    told = record.get(OFFLOADED) if isinstance(record, dict) else None
    if not isinstance(told, dict):
        return None
    owner_id, digest = str(told.get("owner")), str(told.get("digest"))
    return (owner_id, digest) if _OWNER.fullmatch(owner_id) and _DIGEST.fullmatch(digest) else None
