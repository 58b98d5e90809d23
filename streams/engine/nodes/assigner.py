"""assigner: new values for variables that are there already."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from schemas.nodes.assigner import READ_ONLY, AssignerData, OperationItem
from schemas.variables import ValueType, infer, zero
from streams.engine.errors import NodeFailure
from streams.engine.nodes.assignment import (
    is_constant_allowed,
    is_operation_allowed,
    is_value_allowed,
    is_variable_allowed,
    operate,
)
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import MISSING, Getter, Pool, getter

_UPDATED = "__updated_variables"
"""Where Dify records what an assigner has changed."""

Variable = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Target:
    """A variable that is to be changed."""

    selector: tuple[str, ...]
    get: Getter
    declared: ValueType | None
    """None for one that has the type of its value."""

    @property
    def name(self) -> str:
        return ".".join(self.selector)

    def read(self, pool: Pool) -> tuple[Any, ValueType]:
        """Its value and type. Raises `NodeFailure` where there is no such variable."""
        value = self.get(pool)
        if value is MISSING or len(self.selector) != 2:
            raise NodeFailure(f"variable {self.name} not found", "VariableNotFoundError")
        if self.selector[0] in READ_ONLY:
            raise NodeFailure(f"variable {self.name} cannot be changed", "VariableReadOnlyError")
        type_ = self.declared or infer(value)
        if type_ is None:
            raise NodeFailure(f"variable {self.name} is null and has no type", "VariableTypeError")
        return value, type_

    def written(self, value: Any, type_: ValueType) -> dict[str, Any]:
        """As in `_UPDATED`."""
        return {
            "name": self.selector[1],
            "selector": list(self.selector),
            "value_type": type_,
            "new_value": value,
        }


@dataclass(frozen=True, slots=True)
class AssignmentNode:
    """Version 1. It has no outputs."""

    target: _Target
    write_mode: str
    get: Getter

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`. As in Dify, nothing but `append` looks at types."""
        before, type_ = self.target.read(pool)
        if self.write_mode == "clear":
            given = value = zero(type_)
        else:
            given = self.get(pool)
            if given is MISSING:
                raise NodeFailure("the variable to assign from does not exist", "VariableNotFoundError")
            value = given
        if self.write_mode == "append":
            if not type_.is_array:
                reason = f"append needs a list, {self.target.name} is of type {type_}"
                raise NodeFailure(reason, "OperationNotSupportedError", {"value": given})
            value = [*(before or ()), given]
        process_data = {_UPDATED: [self.target.written(value, type_)]}
        return Outcome({"value": given}, {}, process_data, writes={_variable(self.target): value})


@dataclass(frozen=True, slots=True)
class _Step:
    item: OperationItem
    target: _Target
    get: Getter | None
    """None for a constant, and where there is no value."""

    def run(self, pool: Pool) -> tuple[Any, ValueType] | None:
        """The target's new value; None where there is nothing to do. Raises `NodeFailure`."""
        item, name = self.item, self.target.name
        before, type_ = self.target.read(pool)
        if not is_operation_allowed(type_, item.operation):
            reason = f"{item.operation} cannot be done to {name}, which is of type {type_}"
            raise NodeFailure(reason, "OperationNotSupportedError")
        by_variable = item.input_type == "variable"
        if not (
            is_variable_allowed(item.operation) if by_variable else is_constant_allowed(type_, item.operation)
        ):
            reason = f"{item.operation} of {name}, which is of type {type_}, takes no {item.input_type}"
            raise NodeFailure(reason, "InputTypeNotSupportedError")
        value = self._value(pool)
        if self.get is not None and value is None:
            return None
        if item.operation == "set" and type_ is ValueType.OBJECT and isinstance(value, str):
            value = _json(value, name)
        if not is_value_allowed(type_, item.operation, value):
            raise _refused(item.operation, name, type_, value)
        after = operate(item.operation, type_, before, value)
        if isinstance(after, float) and not math.isfinite(after):
            raise _refused(item.operation, name, type_, value)
        return after, type_

    def _value(self, pool: Pool) -> Any:
        if self.get is None:
            return (
                None if self.item.source is None and self.item.input_type == "variable" else self.item.value
            )
        value = self.get(pool)
        if value is MISSING:
            raise NodeFailure(
                f"variable {'.'.join(self.item.source or ())} not found", "VariableNotFoundError"
            )
        return value


@dataclass(frozen=True, slots=True)
class OperationsNode:
    """Version 2. It has no outputs. An operation sees what those before it have written."""

    steps: tuple[_Step, ...]
    shown: Mapping[str, Any]

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`. All operations are done, or none."""
        working = dict(pool)
        done: dict[Variable, dict[str, Any]] = {}
        for step in self.steps:
            try:
                changed = step.run(working)
            except NodeFailure as failure:
                raise NodeFailure(failure.reason, failure.error_type, self.shown) from failure
            if changed is None:
                continue
            value, type_ = changed
            node_id, name = variable = _variable(step.target)
            working[node_id] = {**working[node_id], name: value}
            done.setdefault(variable, {})
            done[variable] = step.target.written(value, type_)
        writes = {variable: entry["new_value"] for variable, entry in done.items()}
        process_data = {name: value for (_, name), value in writes.items()}
        process_data[_UPDATED] = list(done.values())
        return Outcome(self.shown, {}, process_data, writes=writes)


def compile_assigner(data: AssignerData) -> AssignmentNode | OperationsNode:
    """Either version."""
    if data.items is None:
        target = _target(data, data.assigned_variable_selector)
        return AssignmentNode(target, data.write_mode, getter(data.input_variable_selector))
    steps = tuple(
        _Step(
            item,
            _target(data, item.variable_selector),
            getter(item.source) if item.source is not None else None,
        )
        for item in data.items
    )
    return OperationsNode(steps, data.model_dump(include={"type", "title", "version", "items"}))


def _target(data: AssignerData, selector: list[str]) -> _Target:
    declared = data.target_types.get(".".join(selector))
    return _Target(tuple(selector), getter(selector), ValueType(declared) if declared else None)


def _variable(target: _Target) -> Variable:
    return target.selector[0], target.selector[1]


def _json(text: str, name: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        reason = f"{name} cannot be set to what is no JSON: {wrong}"
        raise NodeFailure(reason, "InvalidInputValueError") from wrong


def _refused(operation: str, name: str, type_: ValueType, value: Any) -> NodeFailure:
    shown = repr(value)
    shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
    reason = f"{operation} of {name}, which is of type {type_}, does not take {shown}"
    return NodeFailure(reason, "InvalidInputValueError")
