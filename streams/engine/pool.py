"""The variable pool of a run, and selectors compiled to functions of it."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal

from schemas.files import is_file
from schemas.references import MARK, is_reference
from schemas.selectors import MIN_SELECTOR_LENGTH
from streams.engine.errors import NeedsValue, NodeFailure
from streams.engine.values import FILE_ATTRIBUTES, file_attribute

Pool = Mapping[str, Mapping[str, Any]]
"""Node id (or sys, env, conversation) -> variable -> value, all of it JSON."""

ENVIRONMENT = "env"
CONVERSATION = "conversation"
INPUTS = "#inputs"
"""The name under which the start node finds what the run was given. No node id: it starts with #."""

KEPT = "#kept"
"""Where a run that resumes another one finds the nodes that it does not execute again, by id."""

HISTORY, TURNS = "#history", "turns"
"""Where nodes with a memory find the turns of the conversation so far: a list of {query, answer}, the oldest
first. There is none for a run that belongs to no conversation."""


VALUES = "#values"
"""The name under which the values that references stand for are found, by digest, as far as they are here.
One that cannot be had is a `NodeFailure`."""


_KEPT_GETTERS = 20_000
"""Of each kind: nodes that read the same variable share one, of some 300 bytes."""


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
"""Tells a variable that does not exist from one that is null."""

Missing = Literal[_Missing.MISSING]
Getter = Callable[[Pool], Any]
"""The value that a selector leads to, or MISSING."""


def getter(selector: Sequence[str]) -> Getter:
    """The selector as a function. One that is too short leads nowhere.

    The function raises `NeedsValue` where the value is elsewhere, and `NodeFailure` where it cannot be had.
    """
    return _getter(tuple(selector))


def carrier(selector: Sequence[str]) -> Getter:
    """The same for a node that hands the value on without looking at it: it may be a reference."""
    return _carrier(tuple(selector))


@lru_cache(_KEPT_GETTERS)
def _getter(selector: tuple[str, ...]) -> Getter:
    if len(selector) < MIN_SELECTOR_LENGTH:
        return _nowhere
    node_id, name, *path = selector

    def top(pool: Pool) -> Any:
        variables = pool.get(node_id)
        value: Any = MISSING if variables is None else variables.get(name, MISSING)
        return _brought(pool, value) if is_reference(value) else value

    def nested(pool: Pool) -> Any:
        value = top(pool)
        if is_file(value):
            return file_attribute(value, path[0]) if path[0] in FILE_ATTRIBUTES else MISSING
        for key in path:
            if type(value) is not dict or key not in value:
                return MISSING
            value = value[key]
        return value

    return nested if path else top


@lru_cache(_KEPT_GETTERS)
def _carrier(selector: tuple[str, ...]) -> Getter:
    if len(selector) != MIN_SELECTOR_LENGTH:
        return _getter(selector)
    node_id, name = selector

    def carry(pool: Pool) -> Any:
        variables = pool.get(node_id)
        return MISSING if variables is None else variables.get(name, MISSING)

    return carry


def or_none(value: Any) -> Any:
    """None for a variable that does not exist."""
    return None if value is MISSING else value


def _brought(pool: Pool, reference: Mapping[str, Any]) -> Any:
    digest = reference[MARK]
    values = pool.get(VALUES) or {}
    if digest not in values:
        raise NeedsValue(digest)
    value = values[digest]
    if isinstance(value, NodeFailure):
        raise value
    return value


def _nowhere(_: Pool) -> Missing:
    return MISSING
