"""Holds what a code node returned against what it declares, with the rules and messages of Dify.

CodeNodeError
├── OutputValidationError  a missing, mistyped or oversized output
└── DepthLimitError        objects nested too deep
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from streams.executors.settings import OutputLimits

Declaration = Mapping[str, Mapping[str, Any]]
"""Name to `{"type", "children"}`, as in the DSL."""


class CodeNodeError(ValueError):
    """The node fails with this text."""


class OutputValidationError(CodeNodeError):
    """A missing, mistyped or oversized output."""


class DepthLimitError(CodeNodeError):
    """Objects nested too deep."""


def check_outputs(result: Mapping[str, Any], declared: Declaration, limits: OutputLimits) -> dict[str, Any]:
    """The outputs as later nodes see them: null characters gone, booleans as numbers where one is declared.

    Raises `CodeNodeError`.
    """
    return _Checker(limits).declared_object(result, declared, prefix="", depth=1)


@dataclass(frozen=True, slots=True)
class _Checker:
    limits: OutputLimits

    def declared_object(
        self, result: Mapping[str, Any], declared: Declaration, prefix: str, depth: int
    ) -> dict[str, Any]:
        self._check_depth(depth)
        checked = {}
        for name, output in declared.items():
            path = f"{prefix}.{name}" if prefix else name
            if name not in result:
                raise OutputValidationError(f"Output {path} is missing.")
            checked[name] = self._declared(result[name], output, path, depth)
        if len(checked) != len(result):
            extra = ", ".join(sorted(map(str, result.keys() - declared.keys())))
            raise CodeNodeError(f"Not all output parameters are validated. Not declared: {extra}")
        return checked

    def _declared(self, value: Any, output: Mapping[str, Any], path: str, depth: int) -> Any:
        kind, children = output.get("type"), output.get("children")
        if kind == "object":
            return self._object(value, children, path, depth)
        if kind == "array[object]":
            items = self._array(value, path, self.limits.max_object_array_length)
            return items and [self._object(item, children, at, depth) for at, item in _at(items, path)]
        check = self._leaves().get(kind)
        if check is None:
            raise OutputValidationError(f"Output type {kind} is not supported.")
        return check(value, path)

    def _leaves(self) -> Mapping[Any, Callable[[Any, str], Any]]:
        return {
            "string": self._string,
            "number": self._number,
            # Dify lets any value pass here, and published workflows return 0 and 1.
            "boolean": lambda value, path: value,
            "array[string]": self._strings,
            "array[number]": self._numbers,
            "array[boolean]": self._booleans,
        }

    def _object(self, value: Any, children: Declaration | None, path: str, depth: int) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise OutputValidationError(f"Output {path} is not an object, got {type(value)} instead.")
        if children is None:
            self._free_object(value, path, depth + 1)
            return value
        return self.declared_object(value, children, path, depth + 1)

    def _string(self, value: Any, path: str) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise OutputValidationError(
                f"Output {path} must be a string, got {type(value).__name__} instead."
            )
        if len(value) > self.limits.max_string_length:
            raise OutputValidationError(
                f"The length of output variable `{path}` must be"
                f" less than {self.limits.max_string_length} characters"
            )
        return value.replace("\x00", "")

    def _number(self, value: Any, path: str) -> int | float | None:
        if value is None:
            return None
        if not isinstance(value, int | float):
            raise OutputValidationError(f"Output {path} is not a number, got {type(value)} instead.")
        low, high = self.limits.min_number, self.limits.max_number
        if not low <= value <= high:
            raise OutputValidationError(
                f"Output variable `{path}` is out of range, it must be between {low} and {high}."
            )
        if isinstance(value, float) and _decimals(value) > self.limits.max_precision:
            raise OutputValidationError(
                f"Output variable `{path}` has too high precision,"
                f" it must be less than {self.limits.max_precision} digits."
            )
        return int(value) if isinstance(value, bool) else value

    def _strings(self, value: Any, path: str) -> list[str | None] | None:
        items = self._array(value, path, self.limits.max_string_array_length)
        return items and [self._string(item, at) for at, item in _at(items, path)]

    def _numbers(self, value: Any, path: str) -> list[int | float] | None:
        items = self._array(value, path, self.limits.max_number_array_length)
        for index, item in enumerate(items or []):
            if not isinstance(item, int | float):
                raise OutputValidationError(
                    f"The element at index {index} of output variable `{path}` must be a number."
                )
        return items and [int(item) if isinstance(item, bool) else item for item in items]

    def _booleans(self, value: Any, path: str) -> list[bool | None] | None:
        items = self._array(value, path, None)
        for at, item in _at(items or [], path):
            if item is not None and not isinstance(item, bool):
                raise OutputValidationError(f"Output {at} is not a boolean, got {type(item)} instead.")
        return items

    def _array(self, value: Any, path: str, max_length: int | None) -> list[Any] | None:
        if value is None:
            return None
        if not isinstance(value, list):
            raise OutputValidationError(f"Output {path} is not an array, got {type(value)} instead.")
        if max_length is not None and len(value) > max_length:
            raise OutputValidationError(
                f"The length of output variable `{path}` must be less than {max_length} elements."
            )
        return value

    def _free_object(self, value: Mapping[str, Any], path: str, depth: int) -> None:
        self._check_depth(depth)
        for name, item in value.items():
            self._free(item, f"{path}.{name}", depth)

    def _free(self, value: Any, path: str, depth: int) -> None:
        """A value in an object without declared children: bounded, but of any type that JSON has."""
        if isinstance(value, dict):
            self._free_object(value, path, depth + 1)
        elif isinstance(value, list):
            self._free_array(value, path, depth)
        elif isinstance(value, str):
            self._string(value, path)
        elif isinstance(value, int | float):
            self._number(value, path)

    def _free_array(self, items: list[Any], path: str, depth: int) -> None:
        kinds = {_kind(item) for item in items if item is not None}
        if len(kinds) > 1 and items[0] is not None:
            raise OutputValidationError(
                f"Output {path} is not a valid array. make sure all elements are of the same type."
            )
        for at, item in _at(items, path):
            if isinstance(item, list):
                self._check_depth(depth + 1)
                self._free_array(item, at, depth + 1)
            else:
                self._free(item, at, depth)

    def _check_depth(self, depth: int) -> None:
        if depth > self.limits.max_depth:
            raise DepthLimitError(f"Depth limit {self.limits.max_depth} reached, object too deep.")


def _at(items: list[Any], path: str) -> list[tuple[str, Any]]:
    return [(f"{path}[{index}]", item) for index, item in enumerate(items)]


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) else type(value).__name__


def _decimals(value: float) -> int:
    """Digits after the point; 0 for infinities and the like."""
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
