"""The types of variables: their names in Dify, what belongs to each, and what a value is brought to."""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import orjson

from schemas.errors import abridged
from schemas.files import is_file

_INT64 = 2**63


class ValueType(StrEnum):
    """`value_type` of environment and conversation variables, `var_type` of loop variables."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    OBJECT = "object"
    SECRET = "secret"  # noqa: S105
    FILE = "file"
    ARRAY_ANY = "array[any]"
    ARRAY_STRING = "array[string]"
    ARRAY_NUMBER = "array[number]"
    ARRAY_BOOLEAN = "array[boolean]"
    ARRAY_OBJECT = "array[object]"
    ARRAY_FILE = "array[file]"

    @property
    def is_array(self) -> bool:
        """Whether its values are lists."""
        return self.startswith("array[")


NUMBERS = frozenset({ValueType.NUMBER, ValueType.INTEGER, ValueType.FLOAT})

_ELEMENTS: Mapping[ValueType, ValueType] = {
    ValueType.ARRAY_STRING: ValueType.STRING,
    ValueType.ARRAY_NUMBER: ValueType.NUMBER,
    ValueType.ARRAY_BOOLEAN: ValueType.BOOLEAN,
    ValueType.ARRAY_OBJECT: ValueType.OBJECT,
    ValueType.ARRAY_FILE: ValueType.FILE,
}
_ARRAY_OF: Mapping[ValueType, ValueType] = {element: array for array, element in _ELEMENTS.items()}

_ZERO: Mapping[ValueType, Callable[[], Any]] = {
    ValueType.STRING: str,
    ValueType.SECRET: str,
    ValueType.NUMBER: int,
    ValueType.INTEGER: int,
    ValueType.FLOAT: float,
    ValueType.BOOLEAN: bool,
    ValueType.OBJECT: dict,
    ValueType.FILE: lambda: None,
}


def zero(type_: ValueType) -> Any:
    """The value of a variable that nobody has given one."""
    return [] if type_.is_array else _ZERO[type_]()


def infer(value: Any) -> ValueType | None:
    """The type of a JSON value as Dify infers it, numbers as one type; None for null."""
    if isinstance(value, list):
        return _infer_list(value)
    if isinstance(value, str):
        return ValueType.STRING
    if isinstance(value, bool):
        return ValueType.BOOLEAN
    if isinstance(value, int | float):
        return ValueType.NUMBER
    if isinstance(value, dict):
        return ValueType.FILE if is_file(value) else ValueType.OBJECT
    return None


def _infer_list(value: list[Any]) -> ValueType:
    kinds = {infer(item) for item in value}
    kind = kinds.pop() if len(kinds) == 1 else None
    return _ARRAY_OF.get(kind, ValueType.ARRAY_ANY) if kind else ValueType.ARRAY_ANY


def coerce(type_: ValueType, value: Any) -> Any:
    """The value in its type; null is its zero. Raises `ValueError`, whose text completes "<variable> ...".

    A text may stand for a number, a boolean, an object or a list, and a number for a text, as in files that
    were edited by hand.
    """
    if value is None:
        return zero(type_)
    if type_.is_array:
        return _coerce_array(type_, value)
    if type_ in NUMBERS:
        return _number(type_, value)
    if type_ in (ValueType.STRING, ValueType.SECRET):
        return _text(type_, value)
    if type_ is ValueType.BOOLEAN:
        return _boolean(value)
    read = _read(value)
    if not isinstance(read, dict):
        raise ValueError(
            f"must be {'a file' if type_ is ValueType.FILE else 'an object'}, is {abridged(value)}"
        )
    return read


def _coerce_array(type_: ValueType, value: Any) -> list[Any]:
    read = _read(value)
    if not isinstance(read, list):
        raise ValueError(f"must be a list, is {abridged(value)}")
    element = _ELEMENTS.get(type_)
    if element is None:
        return read
    coerced = []
    for i, item in enumerate(read):
        if item is None:
            raise ValueError(f"has null at position {i}")
        try:
            coerced.append(coerce(element, item))
        except ValueError as wrong:
            raise ValueError(f"has an item at position {i} that {wrong}") from wrong
    return coerced


def _text(type_: ValueType, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        shown = "" if type_ is ValueType.SECRET else f", is {abridged(value)}"
        raise ValueError(f"must be a text{shown}")
    return value


def _number(type_: ValueType, value: Any) -> int | float:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                raise ValueError(f"must be a number, is {abridged(value)}") from None
    if not isinstance(value, int | float):
        raise ValueError(f"must be a number, is {abridged(value)}")
    # Before there were booleans, 0 and 1 were kept as false and true.
    value = int(value) if isinstance(value, bool) else value
    if not (-_INT64 <= value < _INT64 if isinstance(value, int) else math.isfinite(value)):
        raise ValueError("must be a finite number, an integer of at most 64 bits")
    if type_ is ValueType.INTEGER and value != int(value):
        raise ValueError(f"must be an integer, is {value}")
    if type_ is ValueType.INTEGER:
        return int(value)
    return float(value) if type_ is ValueType.FLOAT else value


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise ValueError(f"must be true or false, is {abridged(value)}")


def _read(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
