"""Conditions of if-else (and of loops and lists, later), compiled to functions of the pool."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from schemas.files import is_file_list
from schemas.nodes.if_else import Condition, SubCondition, SubVariableCondition
from schemas.work_budget import CURRENT, TooMuchWork, weigh
from streams.engine.comparison import OPERATORS, TAKES_NO_VALUE
from streams.engine.errors import NodeFailure
from streams.engine.pool import MISSING, Pool, getter
from streams.engine.texts import compile_text
from streams.engine.values import file_attribute

Seen = list[dict[str, Any]]
"""What was compared with what, for the node's record."""

Test = Callable[[Pool, Seen], bool]
"""Raises `NodeFailure` where the variable does not exist or the types do not compare."""

_SHORT = 1_000
"""Characters that are compared, and recorded, at no cost."""

_ON_FILES = frozenset({"contains", "not contains", "all of"})


def compile_conditions(conditions: Sequence[Condition], logical: str) -> Callable[[Pool, Seen], list[bool]]:
    """The results of the conditions in order, up to the one that decides."""
    tests = [compile_condition(condition) for condition in conditions]
    decisive = logical == "or"

    def evaluate(pool: Pool, seen: Seen) -> list[bool]:
        results: list[bool] = []
        for test in tests:
            results.append(test(pool, seen))
            if results[-1] is decisive:
                break
        return results

    return evaluate


def holds(results: Sequence[bool], logical: str) -> bool:
    """What the results of conditions come to. No condition at all holds for `and`."""
    return any(results) if logical == "or" else all(results)


def compile_condition(condition: Condition) -> Test:
    """One condition."""
    get = getter(condition.variable_selector)
    operator = condition.comparison_operator
    compare = OPERATORS[operator]
    expect = _expected(condition.value)
    name = ".".join(condition.variable_selector)

    def test(pool: Pool, seen: Seen) -> bool:
        actual = get(pool)
        if actual is MISSING:
            raise NodeFailure(f"variable {name} not found", "VariableNotFound")
        try:
            if operator in _ON_FILES and is_file_list(actual):
                return _test_files(actual, condition.sub_variable_condition)
            if operator in TAKES_NO_VALUE:
                return compare(actual, None)
            expected = expect(pool, actual)
            if type(actual) is list or (type(actual) is str and len(actual) > _SHORT):
                _weigh(actual)
            seen.append({"actual_value": actual, "expected_value": expected, "comparison_operator": operator})
            return compare(actual, expected)
        except (TypeError, ValueError, OverflowError) as wrong:
            raise NodeFailure(f"condition on {name} ({operator}): {wrong}", "ConditionError") from wrong

    return test


def _weigh(actual: Any) -> None:
    """Before it is looked through, and recorded, once more. Raises `NodeFailure` for too much in one hop."""
    if CURRENT.get(None) is None:
        return
    try:
        weigh(actual)
    except TooMuchWork as limit:
        raise NodeFailure(f"a condition {limit}", "ConditionError") from limit


def _expected(value: Any) -> Callable[[Pool, Any], Any]:
    """The value to compare with, as a function of the pool and of the actual value, whose type it follows."""
    fill = compile_text(value) if isinstance(value, str) else None

    def expected(pool: Pool, actual: Any) -> Any:
        wanted = fill(pool) if fill else value
        if wanted is None or not _is_boolean(actual):
            return wanted
        return [_boolean(item) for item in wanted] if isinstance(wanted, list) else _boolean(wanted)

    return expected


def _is_boolean(actual: Any) -> bool:
    if type(actual) is list:
        return bool(actual) and all(type(item) is bool for item in actual)
    return type(actual) is bool


def _boolean(value: Any) -> bool:
    loaded = orjson.loads(value) if isinstance(value, str) else value
    if isinstance(loaded, int):  # a bool is one
        return bool(loaded)
    raise TypeError(f"{value!r} is not a boolean")


def _test_files(files: list[Any], wanted: SubVariableCondition | None) -> bool:
    if wanted is None:
        raise ValueError("a condition on the files' attributes is missing")
    results = [_test_attribute(files, condition) for condition in wanted.conditions]
    return holds(results, wanted.logical_operator)


def _test_attribute(files: list[Any], condition: SubCondition) -> bool:
    values = [file_attribute(file, condition.key) for file in files]
    expected = condition.value
    if condition.key == "extension":
        if not isinstance(expected, str):
            raise TypeError("an extension is compared with a string")
        expected = _dotted(expected)
        values = [_dotted(value) if isinstance(value, str) else value for value in values]
    compare = OPERATORS[condition.comparison_operator]
    results = [compare(value, expected) for value in values]
    return all(results) if "not" in condition.comparison_operator else any(results)


def _dotted(extension: str) -> str:
    return extension if not extension or extension.startswith(".") else f".{extension}"
