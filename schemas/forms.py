"""What is filled into a form: brought to the types of its fields, and held against their rules.

The rules are Dify's. The door, which refuses, and the engine, which fails the node, apply the same ones.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from schemas.draft7 import misfit, validator
from schemas.files import marked, refusal
from schemas.ids import canonical_json
from schemas.nodes.start import InputType, InputVariable

Coercion = Callable[[InputVariable, Any], Any]
"""The value in the field's type. Raises `ValueError`, whose text completes "<variable> in input form ..."."""

_KEPT = 1_000
_KEPT_BYTES = 16 * 1024
"""Schemas that are made ready once, unless they are larger: of those nobody knows what they take."""
_INT64 = 2**63
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


class FieldFault(NamedTuple):
    """What is wrong with one field."""

    field: str
    why: str
    """Completes "<field> ..."."""


class Filled(NamedTuple):
    """A form with what was given."""

    values: Mapping[str, Any]
    """One for each field without a fault; null for one that was left out and has no default."""
    faults: tuple[FieldFault, ...]


def fill(form: Iterable[InputVariable], given: Mapping[str, Any]) -> Filled:
    """Never raises. What is given and is no field is left out."""
    values: dict[str, Any] = {}
    faults: list[FieldFault] = []
    for field in form:
        try:
            values[field.variable] = _value(field, given)
        except ValueError as wrong:
            faults.append(FieldFault(field.variable, str(wrong)))
    return Filled(values, tuple(faults))


def _value(field: InputVariable, given: Mapping[str, Any]) -> Any:
    value = given.get(field.variable)
    if value is None:
        if field.required:
            raise ValueError("is required in input form")
        value = field.default
        if value is None:
            return None
    try:
        return _COERCIONS[field.type](field, value)
    except ValueError as wrong:
        raise ValueError(f"in input form {wrong}") from wrong


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value.replace("\0", "")


def _text(field: InputVariable, value: Any) -> str:
    text = _string(value)
    if field.max_length and len(value) > field.max_length:
        raise ValueError(f"must be at most {field.max_length} characters long, has {len(value)}")
    return text


def _select(field: InputVariable, value: Any) -> str:
    # The editor's default of a select that need not be chosen is the empty text.
    if _string(value) not in field.options and (value or field.required):
        raise ValueError(f"must be one of {', '.join(field.options)}")
    return _string(value)


def _number(_: InputVariable, value: Any) -> int | float | None:
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            value = float(value) if "." in value else int(value)
        except ValueError:
            raise ValueError("must be a valid number") from None
    if not isinstance(value, int | float):
        raise ValueError("must be a number")
    if not (-_INT64 <= value < _INT64 if isinstance(value, int) else math.isfinite(value)):
        raise ValueError("must be a finite number, an integer of at most 64 bits")
    return value


def _checkbox(_: InputVariable, value: Any) -> Any:
    """What is neither true nor false stays, as in Dify."""
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return value


def _object(field: InputVariable, value: Any) -> Any:
    if value and isinstance(value, str):
        # A form sends the text that was typed.
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as wrong:
            raise ValueError(f"must be an object: {wrong}") from wrong
    if value and not isinstance(value, dict):
        raise ValueError("must be an object")
    if value and field.json_schema:
        schema = canonical_json(field.json_schema)
        made = _validator if len(schema) <= _KEPT_BYTES else _validator.__wrapped__
        fault = misfit(made(schema), value)
        if fault is not None:
            raise ValueError(f"does not match its schema at {fault.json_path}: {fault.message}")
    return value


@lru_cache(_KEPT)
def _validator(schema: bytes) -> Any:
    return validator(orjson.loads(schema))


def _file(field: InputVariable, value: Any) -> Any:
    if value == "" and not field.required:
        return None
    if not isinstance(value, dict):
        raise ValueError("must be a file")
    return _admitted(field, value)


def _file_list(field: InputVariable, value: Any) -> Any:
    if value == "" and not field.required:
        return None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("must be a list of files")
    if field.max_length and len(value) > field.max_length:
        raise ValueError(f"must be at most {field.max_length} files, has {len(value)}")
    return [_admitted(field, item) for item in value]


def _admitted(field: InputVariable, file: dict[str, Any]) -> dict[str, Any]:
    why = refusal(
        file,
        field.allowed_file_types,
        field.allowed_file_extensions,
        field.allowed_file_upload_methods,
    )
    if why:
        raise ValueError(f"has a file that {why}")
    return marked(file)


def _anything(_: InputVariable, value: Any) -> Any:
    return value


_COERCIONS: Mapping[InputType, Coercion] = {
    InputType.TEXT_INPUT: _text,
    InputType.PARAGRAPH: _text,
    InputType.URL: _text,
    InputType.SELECT: _select,
    InputType.NUMBER: _number,
    InputType.CHECKBOX: _checkbox,
    InputType.JSON_OBJECT: _object,
    InputType.OBJECT: _object,
    InputType.FILE: _file,
    InputType.FILE_LIST: _file_list,
    InputType.EXTERNAL_DATA_TOOL: _anything,
}
