"""JSON Schema over what strangers send, by schemas that tenants write: bounded, and nothing is ever fetched.

Draft 2020-12, unless `$schema` names another one; `format` is asserted. Patterns are matched by an engine
that takes linear time. The validator works through a value at once and cannot be stopped, so that the schema
is bounded before: recursion is refused, and a subschema counts as often as it is referred to.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote

import jsonschema_rs
import orjson

MAX_SCHEMA_BYTES = 64 * 1024
MAX_SUBSCHEMAS = 1000
MAX_MISFITS = 100
"""Of one value that are named."""

_MAX_LISTED_BYTES = 64 * 1024
"""Of a value that is searched for all that is wrong. It takes up to 16 µs for each."""
_MAX_WHY_CHARS = 300
_MAX_PATTERN_BYTES = 1024 * 1024
_UNFOLLOWED = ("$dynamicRef", "$recursiveRef")


class Misfit(NamedTuple):
    """One thing that is wrong with a value."""

    path: tuple[str | int, ...]
    why: str
    """With `it` for the value: a refusal does not repeat what was sent."""


class Schema:
    """A schema made ready for many values."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Raises `ValueError` for what is no schema, or more than is taken."""
        _check_bounds(document)
        try:
            self._validator = jsonschema_rs.validator_for(
                dict(document),
                validate_formats=True,
                offline=True,
                mask="it",
                pattern_options=jsonschema_rs.RegexOptions(_MAX_PATTERN_BYTES, _MAX_PATTERN_BYTES),
            )
        except jsonschema_rs.ValidationError as wrong:
            place = "".join(f"{part}." for part in wrong.instance_path).rstrip(".")
            raise ValueError(f"{place}: {_first_line(wrong.message)}".removeprefix(": ")) from wrong

    def misfits(self, value: Any, size_bytes: int) -> list[Misfit]:
        """Everything that is wrong with a JSON value, at most `MAX_MISFITS`; only the first thing where the
        value was large. `size_bytes` is about what it takes as JSON."""
        try:
            return [] if self._validator.is_valid(value) else self._found(value, size_bytes)
        except UnicodeEncodeError:
            return [Misfit((), "it has bytes that are no text")]
        except ValueError:
            return [Misfit((), "it is nested too deeply")]

    def _found(self, value: Any, size_bytes: int) -> list[Misfit]:
        if size_bytes <= _MAX_LISTED_BYTES:
            errors = list(islice(self._validator.iter_errors(value), MAX_MISFITS))
        else:
            errors = []
            try:
                self._validator.validate(value)
            except jsonschema_rs.ValidationError as first:
                errors.append(first)
        return [Misfit(tuple(one.instance_path), _first_line(one.message)) for one in errors]


def _first_line(message: str) -> str:
    return message.partition("\n")[0][:_MAX_WHY_CHARS]


def _check_bounds(document: Mapping[str, Any]) -> None:
    try:
        size = len(orjson.dumps(document))
    except TypeError as wrong:
        raise ValueError("the schema is nested too deeply") from wrong
    if size > MAX_SCHEMA_BYTES:
        raise ValueError(f"the schema takes {size} bytes; at most {MAX_SCHEMA_BYTES} are taken")
    for count, _ in enumerate(_subschemas(document, document, ()), 1):
        if count > MAX_SUBSCHEMAS:
            raise ValueError(f"the schema has more than {MAX_SUBSCHEMAS} parts, references followed")


def _subschemas(part: Any, document: Mapping[str, Any], following: tuple[str, ...]) -> Iterator[None]:
    """One for each object in it, as often as validation may meet it."""
    if isinstance(part, list):
        for one in part:
            yield from _subschemas(one, document, following)
        return
    if not isinstance(part, Mapping):
        return
    yield None
    if part is not document and isinstance(part.get("$id"), str):
        raise ValueError("$id: only the schema as a whole may have one")
    for name, value in part.items():
        if name in _UNFOLLOWED and isinstance(value, str):
            raise ValueError(f"{name} is not taken; use $ref")
        if name == "$ref" and isinstance(value, str):
            if value in following:
                raise ValueError(f"$ref {value} leads to itself; a schema must not be recursive")
            yield from _subschemas(_referred(document, value), document, (*following, value))
        else:
            yield from _subschemas(value, document, following)


def _referred(document: Mapping[str, Any], reference: str) -> Any:
    """What a JSON pointer into the schema leads to (RFC 6901, section 6)."""
    if reference != "#" and not reference.startswith("#/"):
        raise ValueError(f"$ref {reference[:_MAX_WHY_CHARS]}: only #/… within the schema is followed")
    found: Any = document
    for part in unquote(reference).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise ValueError(f"$ref {reference[:_MAX_WHY_CHARS]} leads nowhere")
    return found
