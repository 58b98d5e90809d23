"""The operations of an assigner: what each may be done to, with which values, and what comes of it."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from schemas.files import is_file
from schemas.nodes.assigner import WITHOUT_VALUE
from schemas.variables import NUMBERS, ValueType, zero

_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+=": operator.add,
    "-=": operator.sub,
    "*=": operator.mul,
    "/=": operator.truediv,
}
_OF_LISTS = frozenset({"append", "extend", "remove-first", "remove-last"})
_SETTABLE = frozenset({ValueType.STRING, ValueType.BOOLEAN, ValueType.OBJECT}) | NUMBERS

_SCALARS: Mapping[ValueType, type] = {
    ValueType.STRING: str,
    ValueType.BOOLEAN: bool,
    ValueType.OBJECT: dict,
}
_ITEMS: Mapping[ValueType, tuple[type, ...]] = {
    ValueType.ARRAY_ANY: (str, float, int, dict),
    ValueType.ARRAY_STRING: (str,),
    ValueType.ARRAY_NUMBER: (int, float),
    ValueType.ARRAY_OBJECT: (dict,),
    ValueType.ARRAY_BOOLEAN: (bool,),
}
"""What may be in a list. Files are written by nodes that make them, never by an assigner."""


def is_operation_allowed(type_: ValueType, operation: str) -> bool:
    """Whether a variable of the type has the operation."""
    if operation in _OF_LISTS:
        return type_.is_array
    if operation in _ARITHMETIC:
        return type_ in NUMBERS
    return operation != "set" or type_ in _SETTABLE


def is_variable_allowed(operation: str) -> bool:
    """Whether the operation takes the value of another variable."""
    return operation != "set" and operation not in _ARITHMETIC


def is_constant_allowed(type_: ValueType, operation: str) -> bool:
    """Whether the operation takes a constant."""
    if type_ not in _SETTABLE:
        return False
    return operation in ("over-write", "set") or (operation in _ARITHMETIC and type_ in NUMBERS)


def is_value_allowed(type_: ValueType, operation: str, value: Any) -> bool:
    """Whether the value fits the type and the operation."""
    if operation in WITHOUT_VALUE:
        return True
    if type_ in NUMBERS:
        return isinstance(value, int | float) and not (operation == "/=" and value == 0)
    if type_ in _SCALARS:
        return isinstance(value, _SCALARS[type_]) and not is_file(value)
    if operation == "append":
        return _is_item(type_, value)
    return isinstance(value, list) and type_ in _ITEMS and all(_is_item(type_, item) for item in value)


def _is_item(type_: ValueType, value: Any) -> bool:
    return isinstance(value, _ITEMS.get(type_, ())) and not is_file(value)


def operate(operation: str, type_: ValueType, before: Any, value: Any) -> Any:
    """The new value of a variable of the type that was `before`. All is allowed, see above."""
    if type_.is_array and before is None:
        before = []
    if operation in _ARITHMETIC:
        return _ARITHMETIC[operation](before or 0, value)
    match operation:
        case "clear":
            return zero(type_)
        case "append":
            return [*before, value]
        case "extend":
            return [*before, *value]
        case "remove-first":
            return before[1:]
        case "remove-last":
            return before[:-1]
    return value
