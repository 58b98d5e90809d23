"""What the nodes that ask a model tell its executor, besides their own: model, files, memory."""

from collections.abc import Callable
from typing import Any

import orjson

from schemas.files import is_file, is_file_list
from schemas.nodes.model import Memory, ModelConfig, Vision
from streams.engine.errors import NodeFailure
from streams.engine.pool import HISTORY, TURNS, Pool, getter, or_none
from streams.engine.texts import compile_text

Fill = Callable[[Pool], Any]

_MAX_PARAMETER_CHARS = 1024


def compile_model(model: ModelConfig) -> Fill:
    """{provider, name, mode, completion_params}, the texts among the parameters filled in."""
    parameters = {name: _compile_parameter(value) for name, value in model.completion_params.items()}
    fixed = model.model_dump(exclude={"completion_params"})
    return lambda pool: {
        **fixed,
        "completion_params": {name: fill(pool) for name, fill in parameters.items()},
    }


def identity(model: ModelConfig) -> dict[str, str]:
    """Which model, as the inputs of a node show it."""
    return {"model_provider": model.provider, "model_name": model.name}


def compile_files(vision: Vision) -> Callable[[Pool], list[Any]]:
    """The files that the model is shown. Raises `NodeFailure` for a variable of another type."""
    if not vision.enabled:
        return lambda _: []
    get = getter(vision.configs.variable_selector)

    def files(pool: Pool) -> list[Any]:
        value = or_none(get(pool))
        if value is None or value == []:
            return []
        if is_file(value):
            return [value]
        if is_file_list(value):
            return list(value)
        # Dify takes an empty list of any type, and a list of mixed types, for no files.
        if isinstance(value, list):
            return []
        selector = ".".join(vision.configs.variable_selector)
        raise NodeFailure(f"{selector} is no file and no list of files", "InvalidVariableTypeError")

    return files


def compile_memory(memory: Memory | None) -> Fill:
    """{turns, role_prefix, history}, or None for a node without a memory.

    `history` is a list of {query, answer}, the oldest first, of which no more than `turns` are told.
    """
    if memory is None:
        return lambda _: None
    prefix = memory.role_prefix.model_dump() if memory.role_prefix else None
    turns = memory.turns

    def fill(pool: Pool) -> dict[str, Any]:
        history = pool.get(HISTORY, {}).get(TURNS, [])
        kept = history if turns is None else history[max(len(history) - turns, 0) :]
        return {"role_prefix": prefix, "history": kept}

    return fill


def _compile_parameter(value: Any) -> Fill:
    if not isinstance(value, str) or "{{#" not in value:
        return lambda _: value
    text = compile_text(value)
    return lambda pool: _typed(text(pool)[:_MAX_PARAMETER_CHARS])


def _typed(text: str) -> Any:
    """A variable may hold a number or a boolean: the model is sent it as one."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, int | float) else text
