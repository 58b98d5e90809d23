"""What a model has found for the parameters of an extractor: checked, and brought to their types. Pure.

As in Dify a wrong value is no failure of the node: `__is_success` is 0, and what is no value of its type
becomes an empty one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.nodes.parameter_extractor import Parameter

_EMPTY: Mapping[str, Any] = {"string": "", "number": 0, "boolean": False}


def json_schema(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Of an object with all of them."""
    return {
        "type": "object",
        "properties": {one.name: one.json_schema() for one in parameters},
        "required": [one.name for one in parameters if one.required],
    }


def complaint(parameters: Sequence[Parameter], found: Mapping[str, Any]) -> str | None:
    """What is wrong with the values, by the first that is; None if nothing is."""
    for one in parameters:
        if one.required and one.name not in found:
            return f"parameter {one.name} is required and was not found"
    if len(found) != len(parameters):
        return f"the number of values is {len(found)}, not {len(parameters)}"
    for one in parameters:
        value = found.get(one.name)
        if not _fits(one, value):
            return f"parameter {one.name} is to be of type {one.type}, and {value!r} is not"
        if one.type == "string" and one.options and value not in one.options:
            return f"parameter {one.name} is to be one of {', '.join(one.options)}, and {value!r} is not"
    return None


def typed(parameters: Sequence[Parameter], found: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter with its value, or an empty one."""
    return {one.name: _typed(one, found.get(one.name)) for one in parameters}


def _typed(parameter: Parameter, value: Any) -> Any:
    if parameter.element_type is None:
        made = _made(parameter.type, value)
        return _EMPTY[parameter.type] if made is None else made
    items = value if isinstance(value, list) else []
    return [made for item in items if (made := _made(parameter.element_type, item, within=True)) is not None]


def _made(kind: str, value: Any, *, within: bool = False) -> Any:
    """The value in its type; None where it cannot be brought to it."""
    match kind:
        case "string":
            return value if isinstance(value, str) else None
        case "number":
            return _number(value)
        case "boolean":
            # A number stands for a boolean, but not within a list.
            taken = isinstance(value, bool) or (isinstance(value, int) and not within)
            return bool(value) if taken else None
        case _:
            return value if isinstance(value, dict) else None


def _number(value: Any) -> int | float | None:
    if isinstance(value, int | float):
        return int(value) if isinstance(value, bool) else value
    if not isinstance(value, str):
        return None
    try:
        return float(value) if "." in value else int(value)
    except ValueError:
        return None


def _fits(parameter: Parameter, value: Any) -> bool:
    if parameter.element_type is None:
        return _is(parameter.type, value)
    return isinstance(value, list) and all(_is(parameter.element_type, item) for item in value)


def _is(kind: str, value: Any) -> bool:
    kinds: dict[str, Any] = {"string": str, "number": int | float, "boolean": bool, "object": dict}
    return isinstance(value, kinds[kind])
