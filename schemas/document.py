"""A YAML or JSON file of a user as plain JSON: bounded in size, depth and what aliases stand for."""

from collections.abc import Iterable
from typing import Any

import orjson
import yaml

from schemas.errors import InvalidDefinition, Problem

MAX_BYTES = 10 * 1024 * 1024
MAX_VALUES = 500_000
MAX_DEPTH = 100

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_WORKFLOW = "an object with app and workflow, or with nodes and edges"


def read_document(text: str, expected: str = _WORKFLOW) -> dict[str, Any]:
    """The object that the text holds, which was `expected`. Raises `InvalidDefinition`."""
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise _invalid(f"is larger than {MAX_BYTES // 1024 // 1024} MiB")
    value = _json(text) if text.lstrip()[:1] == "{" else None
    if value is None:
        value = _yaml(text)
    if not isinstance(value, dict):
        raise _invalid(f"must be {expected}")
    _bound(value)
    try:
        # Dates become text, keys become text, and what aliases share is no longer shared.
        plain: dict[str, Any] = orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
    except (TypeError, ValueError) as wrong:
        raise _invalid(f"holds a value that JSON cannot hold: {wrong}") from wrong
    return plain


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:  # flow style YAML starts with a brace as well
        return None


def _yaml(text: str) -> Any:
    try:
        _bound_events(yaml.parse(text, Loader=_Loader))
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe loader
    except (yaml.YAMLError, ValueError, OverflowError) as wrong:
        raise _invalid(f"is neither YAML nor JSON: {wrong}") from wrong


def _bound_events(events: Iterable[Any]) -> None:
    """Looks at a document before anything is built of it.

    Composing recurses in C, and merge keys (`<<`) copy what aliases stand for.
    """
    sizes: dict[str, int] = {}
    open_collections: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_collections.pop()
            if anchor:
                sizes[anchor] = total - before
            continue
        total += sizes.get(str(event.anchor), 1) if isinstance(event, yaml.AliasEvent) else 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_collections.append((event.anchor, total))
        if total > MAX_VALUES:
            raise _too_many()
        if len(open_collections) > MAX_DEPTH:
            raise _too_deep()


def _bound(value: Any) -> None:
    """Walks everything, a value that refers to itself included."""
    stack = [(value, 1)]
    values = 0
    while stack:
        current, depth = stack.pop()
        values += 1
        if values > MAX_VALUES:
            raise _too_many()
        if depth > MAX_DEPTH:
            raise _too_deep()
        members = (
            current.values() if isinstance(current, dict) else current if isinstance(current, list) else ()
        )
        stack.extend((member, depth + 1) for member in members)


def _too_many() -> InvalidDefinition:
    return _invalid(f"holds more than {MAX_VALUES} values")


def _too_deep() -> InvalidDefinition:
    return _invalid(f"is nested more than {MAX_DEPTH} deep")


def _invalid(why: str) -> InvalidDefinition:
    return InvalidDefinition([Problem(None, "document", why)])
