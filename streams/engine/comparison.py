"""The comparison operators of conditions, with the coercions that Dify makes."""

from collections.abc import Callable, Mapping
from typing import Any

_NUMBER, _NUMBER_OR_TEXT = (int, float), (int, float, str)

Comparison = Callable[[Any, Any], bool]
"""actual, expected -> holds. Raises `ValueError` or `TypeError` for types that do not compare."""


def _contains(actual: Any, expected: Any) -> bool:
    if not actual:
        return False
    if isinstance(actual, str):
        return str(expected) in actual
    if isinstance(actual, list):
        return expected in actual
    raise TypeError("only a string or a list can contain something")


def _prefix_or_suffix(test: Callable[[str, str], bool]) -> Comparison:
    def compare(actual: Any, expected: Any) -> bool:
        if not actual:
            return False
        if not isinstance(actual, str) or not isinstance(expected, str):
            raise TypeError("both sides must be strings")
        return test(actual, expected)

    return compare


def _is(actual: Any, expected: Any) -> bool:
    if not isinstance(actual, str | bool):
        raise TypeError("the variable must be a string or a boolean")
    return bool(actual == expected)


def _in(actual: Any, expected: Any) -> bool:
    if not isinstance(expected, list):
        raise TypeError("the value must be a list")
    return actual in expected


def _all_of(actual: Any, expected: Any) -> bool:
    kinds = {type(item) for item in expected} if isinstance(expected, list) else {None}
    if not kinds <= {str} and not kinds <= {bool}:
        raise TypeError("the value must be a list of strings or of booleans")
    return bool(actual) and isinstance(actual, list | str) and all(item in actual for item in expected)


def _equal(actual: Any, expected: Any) -> bool:
    if isinstance(expected, bool | int | float | str):
        if isinstance(actual, bool):
            return actual == bool(expected)
        if isinstance(actual, int):
            return actual == int(expected)
        if isinstance(actual, float):
            return actual == float(expected)
    raise TypeError("both sides must be numbers")


def _order(test: Callable[[float, float], bool]) -> Comparison:
    def compare(actual: Any, expected: Any) -> bool:
        if actual is None:
            return False
        if not isinstance(actual, _NUMBER) or not isinstance(expected, _NUMBER_OR_TEXT):
            raise TypeError("both sides must be numbers")
        return test(actual, float(expected) if isinstance(expected, str) else expected)

    return compare


OPERATORS: Mapping[str, Comparison] = {
    "contains": _contains,
    "not contains": lambda actual, expected: not _contains(actual, expected),
    "start with": _prefix_or_suffix(str.startswith),
    "end with": _prefix_or_suffix(str.endswith),
    "is": lambda actual, expected: actual is not None and _is(actual, expected),
    "is not": lambda actual, expected: actual is not None and not _is(actual, expected),
    "empty": lambda actual, _: not actual,
    "not empty": lambda actual, _: bool(actual),
    "in": lambda actual, expected: bool(actual) and _in(actual, expected),
    "not in": lambda actual, expected: not actual or not _in(actual, expected),
    "all of": _all_of,
    "=": lambda actual, expected: actual is not None and _equal(actual, expected),
    "≠": lambda actual, expected: actual is not None and not _equal(actual, expected),
    ">": _order(lambda actual, expected: actual > expected),
    "<": _order(lambda actual, expected: actual < expected),
    "≥": _order(lambda actual, expected: actual >= expected),
    "≤": _order(lambda actual, expected: actual <= expected),
    "null": lambda actual, _: actual is None,
    "not null": lambda actual, _: actual is not None,
    "exists": lambda actual, _: actual is not None,
    "not exists": lambda actual, _: actual is None,
}

TAKES_NO_VALUE = frozenset({"exists", "not exists"})
"""Recorded without the value, as in Dify."""
