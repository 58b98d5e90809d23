"""Where two runs of one job differ. What is not compared, and why, is in docs/compatibility.md."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import orjson

from tests.differential.job import Node, Result
from tests.graphs import Json

_TIMES = ("latency", "time_to_first_token", "time_to_generate", "elapsed_time")
"""Members of `usage` that a clock decides."""

_NOT_SHOWN = ("env.", "conversation.")
"""graphon's start node repeats all of these as outputs, secrets included; Hopline's only `sys.*`."""

_FACTS = ("status", "inputs", "outputs", "process", "error")

_UNTIL_IT_FAILED = ("inputs", "process")
"""What a failed node got to; graphon mostly says nothing of it."""


def differences(peer: Result, hopline: Result) -> list[str]:
    """One line each, empty for runs that are the same."""
    return [
        *_run_differences(peer, hopline),
        *_node_differences(peer.nodes, hopline.nodes, _FACTS),
        *_value("asked", list(peer.asked), list(hopline.asked)),
    ]


def order_differences(peer: Result, hopline: Result) -> list[str]:
    """For engines that do one thing at a time: nodes must have started in the same order, too. What a node
    reads is then recorded in the engine's own form, which is not compared."""
    return [
        *_run_differences(peer, hopline),
        *_value("order", list(peer.order), list(hopline.order)),
        *_node_differences(peer.nodes, hopline.nodes, ("status", "outputs")),
    ]


def _run_differences(peer: Result, hopline: Result) -> Iterator[str]:
    yield from _value("status", peer.status, hopline.status)
    yield from _value("outputs", _plain(peer.outputs), _plain(hopline.outputs))
    yield from _value("error", bool(peer.error), bool(hopline.error))


def _node_differences(peer: Sequence[Node], hopline: Sequence[Node], facts: Sequence[str]) -> Iterator[str]:
    theirs, ours = _by_place(peer), _by_place(hopline)
    for place in sorted(theirs.keys() | ours.keys()):
        for their, our in zip_longest(
            sorted(theirs[place], key=_sortable), sorted(ours[place], key=_sortable)
        ):
            if their is None or our is None:
                yield f"{place}: only in {'hopline' if their is None else 'graphon'}: {their or our}"
                continue
            failed = their["error"] and our["error"]
            for fact in facts:
                if failed and fact in _UNTIL_IT_FAILED:
                    continue
                yield from _value(f"{place} {fact}", their[fact], our[fact])


def _by_place(nodes: Sequence[Node]) -> defaultdict[str, list[Json]]:
    """Place in the graph -> the facts of its executions."""
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for node in nodes:
        outputs = {name: one for name, one in node.outputs.items() if not name.startswith(_NOT_SHOWN)}
        found[f"{node.container}#{node.index}/{node.id}" if node.container else node.id].append(
            {
                "status": node.status,
                "inputs": _plain(node.inputs),
                "outputs": _plain(outputs),
                "process": _plain(node.process),
                "error": bool(node.error),
            }
        )
    return found


def _sortable(facts: Json) -> bytes:
    return orjson.dumps([facts["status"], facts["outputs"], facts["inputs"]], option=orjson.OPT_SORT_KEYS)


def _value(what: str, theirs: Any, ours: Any) -> Iterator[str]:
    if theirs != ours or _types(theirs) != _types(ours):
        yield f"{what}: graphon {theirs!r}, hopline {ours!r}"


def _types(value: Any) -> Any:
    """1, 1.0 and True are equal in Python, and not in JSON."""
    if isinstance(value, Mapping):
        return {name: _types(one) for name, one in value.items()}
    return [_types(one) for one in value] if isinstance(value, list) else type(value)


def _plain(value: Any, name: str = "") -> Any:
    """Without what a clock or the wording of a message decides."""
    if name == "error_message":
        return bool(value)
    if isinstance(value, Mapping):
        return {key: _plain(one, key) for key, one in value.items() if key not in _TIMES}
    return [_plain(one) for one in value] if isinstance(value, list) else value
