"""list-operator: a list of texts, numbers, booleans or files, filtered, cut and sorted."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.nodes.list_operator import FilterCondition, ListOperatorData
from schemas.variables import ValueType, infer
from schemas.work_budget import CURRENT, PER_STEP, TooMuchWork, weigh
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import MISSING, Getter, Pool, getter
from streams.engine.texts import Text, compile_text
from streams.engine.values import file_attribute

_TYPES = frozenset(
    {ValueType.ARRAY_STRING, ValueType.ARRAY_NUMBER, ValueType.ARRAY_BOOLEAN, ValueType.ARRAY_FILE}
)

_FOUND_PER_STEP = 1024
"""Characters that are searched for a short text in the time of about one step."""


def _is_in(text: str, within: str) -> bool:
    """Raises `TooMuchWork`."""
    if budget := CURRENT.get(None):
        budget.spend(len(within) // _FOUND_PER_STEP * (1 + len(text) // PER_STEP))
    return text in within


_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda item, value: _is_in(value, item),
    "not contains": lambda item, value: not _is_in(value, item),
    "start with": str.startswith,
    "end with": str.endswith,
    "is": operator.eq,
    "is not": operator.ne,
    "in": _is_in,
    "not in": lambda item, value: not _is_in(item, value),
    "empty": lambda item, _: not item,
    "not empty": lambda item, _: bool(item),
}
_MEMBERSHIP: Mapping[str, Callable[[str, Any], bool]] = {
    "in": lambda item, value: item in value,
    "not in": lambda item, value: item not in value,
}
_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "≠": operator.ne,
    "<": operator.lt,
    "≤": operator.le,
    ">": operator.gt,
    "≥": operator.ge,
}
_BOOLEANS: Mapping[str, Callable[[bool, bool], bool]] = {"is": operator.eq, "is not": operator.ne}

_ONE_OF_FEW = frozenset({"type", "transfer_method"})
_TEXT_ATTRIBUTES = frozenset({"name", "extension", "mime_type", "url", "related_id"})


@dataclass(frozen=True, slots=True)
class _Filter:
    condition: FilterCondition
    text: Text | None
    """The value where it is a text."""

    def apply(self, items: list[Any], kind: ValueType, pool: Pool) -> list[Any]:
        value = self.text(pool) if self.text else self.condition.value
        test = _test(self.condition, kind, value)
        _weigh(items)
        return [item for item in items if test(item)]


@dataclass(frozen=True, slots=True)
class ListOperatorNode:
    """Its outputs are `result`, `first_record` and `last_record`."""

    data: ListOperatorData
    get: Getter
    filters: tuple[_Filter, ...]
    serial: Text

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`. Whatever is empty, a list or not, is an empty list."""
        value = self.get(pool)
        name = ".".join(self.data.variable)
        if value is MISSING:
            raise NodeFailure(f"variable {name} not found", "VariableNotFound")
        if not value:
            return _outcome([], [])
        kind = infer(value)
        if kind not in _TYPES:
            raise NodeFailure(
                f"variable {name} must be a list of texts, numbers, booleans or files, is {kind}",
                "VariableTypeError",
                {"variable": value},
            )
        try:
            return _outcome(value, self._operate(value, kind, pool))
        except TooMuchWork as limit:
            raise NodeFailure(str(limit), "ListOperatorError", {"variable": value}) from limit
        except (ValueError, TypeError, OverflowError) as wrong:
            raise NodeFailure(str(wrong), "ListOperatorError", {"variable": value}) from wrong

    def _operate(self, items: list[Any], kind: ValueType, pool: Pool) -> list[Any]:
        for chosen in self.filters:
            items = chosen.apply(items, kind, pool)
        if self.data.extract_by.enabled:
            items = _extract(items, self.serial(pool))
        if self.data.order_by.enabled:
            key = _sort_key(self.data.order_by.key) if kind is ValueType.ARRAY_FILE else None
            _weigh(items)
            items = sorted(items, key=key, reverse=self.data.order_by.value == "desc")
        if self.data.limit.enabled:
            items = items[: self.data.limit.size]
        return items


def compile_list_operator(data: ListOperatorData) -> ListOperatorNode:
    """The texts of its conditions, compiled."""
    conditions = data.filter_by.conditions if data.filter_by.enabled else ()
    return ListOperatorNode(
        data=data,
        get=getter(data.variable),
        filters=tuple(
            _Filter(c, compile_text(c.value) if isinstance(c.value, str) else None) for c in conditions
        ),
        serial=compile_text(data.extract_by.serial),
    )


def _weigh(items: list[Any]) -> None:
    """Before all of them are looked at. Raises `TooMuchWork` for too much in one hop."""
    if CURRENT.get(None) is not None:
        weigh(items)


def _outcome(given: Sequence[Any], items: list[Any]) -> Outcome:
    outputs = {
        "result": items,
        "first_record": items[0] if items else None,
        "last_record": items[-1] if items else None,
    }
    return Outcome({"variable": given}, outputs, {"variable": given})


def _extract(items: list[Any], serial: str) -> list[Any]:
    position = int(serial)
    if not 1 <= position <= len(items):
        raise ValueError(f"there is no item {position} in a list of {len(items)}")
    return [items[position - 1]]


def _test(condition: FilterCondition, kind: ValueType, value: Any) -> Callable[[Any], bool]:
    """Whether an item is kept. Raises `ValueError` for an operator that the items do not have."""
    name = condition.comparison_operator
    if kind is ValueType.ARRAY_FILE:
        return _file_test(condition.key, name, value)
    if kind is ValueType.ARRAY_BOOLEAN:
        if not isinstance(value, bool):
            raise TypeError(f"booleans are compared with true or false, not with {value!r}")
        return _compared(_BOOLEANS, name, value)
    if not isinstance(value, str):
        raise TypeError(f"the value must be a text, is {value!r}")
    if kind is ValueType.ARRAY_NUMBER:
        return _compared(_NUMBERS, name, float(value))
    return _compared(_TEXTS, name, value)


def _file_test(key: str, name: str, value: Any) -> Callable[[Any], bool]:
    if isinstance(value, bool):
        raise TypeError(f"the {key} of a file is compared with a text, not with {value!r}")
    if key in _ONE_OF_FEW:
        return _on_attribute(key, _compared(_MEMBERSHIP, name, value))
    if not isinstance(value, str) or not (key in _TEXT_ATTRIBUTES or key == "size"):
        raise ValueError(f"files cannot be filtered by {key!r} with {value!r}")
    if key == "size":
        size_test = _compared(_NUMBERS, name, float(value))
        return lambda file: size_test(_size(file))
    return _on_attribute(key, _compared(_TEXTS, name, value))


def _on_attribute(key: str, test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda file: test(_attribute(file, key))


def _compared(
    operators: Mapping[str, Callable[[Any, Any], bool]], name: str, value: Any
) -> Callable[[Any], bool]:
    compare = operators.get(name)
    if compare is None:
        raise ValueError(f"{name!r} is none of {', '.join(operators)}")
    return lambda item: compare(item, value)


def _sort_key(key: str) -> Callable[[Any], Any]:
    if key == "size":
        return _size
    if key not in _TEXT_ATTRIBUTES | _ONE_OF_FEW:
        raise ValueError(f"files cannot be sorted by {key!r}")
    return lambda file: _attribute(file, key)


def _attribute(file: dict[str, Any], key: str) -> str:
    return str(file_attribute(file, key) or "")


def _size(file: dict[str, Any]) -> float:
    """-1 for a file whose size nobody knows, as in Dify."""
    size = file.get("size")
    return size if isinstance(size, int | float) else -1
