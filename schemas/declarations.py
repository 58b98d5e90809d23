"""Environment and conversation variables as a workflow declares them: checked, and brought to their types."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.errors import Problem
from schemas.variables import ValueType, coerce, infer

ENVIRONMENT = "environment_variables"
CONVERSATION = "conversation_variables"

Variable = dict[str, Any]


class Declared(NamedTuple):
    """What was declared, and what is wrong with it."""

    variables: list[Variable]
    """As given, `value_type` and `value` put right."""
    problems: list[Problem]


def read_declarations(given: Any, kind: str, place: str = "") -> Declared:
    """The variables of one kind. `place` is what the fields of problems begin with. Never raises.

    A variable without a type has that of its value; a secret without a value keeps having none.
    """
    field = f"{place}{kind}"
    if not isinstance(given or [], list):
        return Declared([], [Problem(None, field, "must be a list")])
    variables: list[Variable] = []
    problems: list[Problem] = []
    for i, variable in enumerate(given or []):
        try:
            variables.append(_typed(variable, kind))
        except ValueError as wrong:
            problems.append(Problem(None, f"{field}.{i}", str(wrong)))
    problems += [Problem(None, field, why) for why in _repeated(variables)]
    return Declared(variables, problems)


def _typed(variable: Any, kind: str) -> Variable:
    if not isinstance(variable, Mapping) or not isinstance(variable.get("name"), str) or not variable["name"]:
        raise ValueError("must be an object with a name")
    name, value = variable["name"], variable.get("value")
    type_ = _type(variable.get("value_type"), value, name)
    if type_ is ValueType.SECRET:
        if kind == CONVERSATION:
            raise ValueError(f"{name} is a secret, which only an environment variable can be")
        if value is None:
            return {**variable, "value_type": type_.value}
    try:
        return {**variable, "value_type": type_.value, "value": coerce(type_, value)}
    except ValueError as wrong:
        raise ValueError(f"{name} {wrong}") from wrong


def _type(declared: Any, value: Any, name: str) -> ValueType:
    if declared is None:
        return infer(value) or ValueType.STRING
    try:
        return ValueType(declared)
    except ValueError:
        known = ", ".join(ValueType)
        raise ValueError(f"{name} has the type {declared!r}, which is none of {known}") from None


def _repeated(variables: list[Variable]) -> Iterator[str]:
    names = [variable["name"] for variable in variables]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name!r} is there several times"
