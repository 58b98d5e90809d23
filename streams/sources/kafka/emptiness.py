"""Avro schemas with which a few bytes can stand for a list without end: of values that take no bytes."""

from collections.abc import Iterator, Mapping
from typing import Any

Named = Mapping[str, Any]


def has_endless_list(schema: Any, named: Named) -> bool:
    """Whether a list anywhere in it has such items. `schema` and `named` as fastavro has parsed them."""
    return any(_is_empty(found["items"], named, ()) for found in _arrays(schema, named, set()))


def _arrays(schema: Any, named: Named, seen: set[str]) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, str):
        if schema in named and schema not in seen:
            seen.add(schema)
            yield from _arrays(named[schema], named, seen)
    elif isinstance(schema, list):
        for option in schema:
            yield from _arrays(option, named, seen)
    elif isinstance(schema, dict):
        if schema["type"] == "array":
            yield schema
        inner = [schema.get("items"), schema.get("values"), *(f["type"] for f in schema.get("fields", ()))]
        if isinstance(schema["type"], dict | list):
            inner.append(schema["type"])
        for one in inner:
            yield from _arrays(one, named, seen)


def _is_empty(schema: Any, named: Named, within: tuple[str, ...]) -> bool:
    """Whether its values take no bytes."""
    if isinstance(schema, str):
        if schema in within:
            return False
        return _is_empty(named[schema], named, (*within, schema)) if schema in named else schema == "null"
    if not isinstance(schema, dict):  # a union says which of its types it is
        return False
    match schema["type"]:
        case "record" | "error":
            return all(_is_empty(field["type"], named, within) for field in schema["fields"])
        case "fixed":
            return bool(schema["size"] == 0)
        case "array" | "map" | "enum":
            return False
        case inner:
            return _is_empty(inner, named, within)
