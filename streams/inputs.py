"""From what arrived to the inputs of a run."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.paths import lookup

SYSTEM = ("query", "files", "conversation_id", "user_id")
"""The system variables that come from outside; the others are the engine's."""


def map_inputs(
    data: Mapping[str, Any], variables: Iterable[str], mapping: Mapping[str, str]
) -> dict[str, Any]:
    """The value of each start variable, by their names.

    `data` is TriggerEvent.data. A variable that `mapping` names takes the value at that dotted path of it;
    another one takes what has its name in the body, else in the query. What is not there is left out: the
    start node knows what it requires. A manual start brings its inputs as they are.
    """
    if "inputs" in data:
        return dict(data["inputs"])
    body = data.get("body")
    sources = [s for s in (body, data.get("query")) if isinstance(s, dict)]
    inputs: dict[str, Any] = {}
    for name in variables:
        if name in mapping:
            found, value = lookup(data, mapping[name])
            if found:
                inputs[name] = value
            continue
        for source in sources:
            if name in source:
                inputs[name] = source[name]
                break
    return inputs


def event_inputs(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a trigger node of the workflow begins with: the event, or what a manual start gives instead."""
    if "inputs" in data:
        return dict(data["inputs"])
    return {name: value for name, value in data.items() if name not in ("metadata", "source", "system")}


def map_system(data: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """The variables of `sys` that the event has a say in, by their names without `sys.`.

    A manual start brings them; of another event `mapping` names them, as `sys.query` and the like.
    """
    system = dict(data.get("system") or {})
    for name in SYSTEM:
        found, value = lookup(data, mapping[f"sys.{name}"]) if f"sys.{name}" in mapping else (False, None)
        if found:
            system[name] = value
    return system
