"""The inputs of tool and agent nodes, compiled."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.nodes.tool_inputs import ToolInput
from streams.engine.pool import MISSING, Getter, Pool, getter
from streams.engine.texts import compile_text


def compile_inputs(inputs: Mapping[str, ToolInput]) -> Callable[[Pool], dict[str, Any]]:
    """The values by name. A variable that does not exist is left out: whether it is needed, the tool says."""
    compiled = {name: _compile_input(one) for name, one in inputs.items()}

    def fill(pool: Pool) -> dict[str, Any]:
        values = ((name, get(pool)) for name, get in compiled.items())
        return {name: value for name, value in values if value is not MISSING}

    return fill


def compile_value(value: Any) -> Getter:
    """JSON, the texts in it filled in."""
    if isinstance(value, str):
        return compile_text(value)
    if isinstance(value, Mapping):
        members = {key: compile_value(one) for key, one in value.items()}
        return lambda pool: {key: fill(pool) for key, fill in members.items()}
    if isinstance(value, list):
        items = [compile_value(one) for one in value]
        return lambda pool: [fill(pool) for fill in items]
    return lambda _: value


def _compile_input(one: ToolInput) -> Getter:
    if one.type == "variable":
        return getter(one.value or ())
    return compile_value(one.value)
