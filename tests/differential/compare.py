"""Where two runs of one job differ. What is not compared, and why, is in docs/compatibility.md."""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import orjson

from tests.differential.job import Node, Result
from tests.graphs import Json

Groups = Sequence[Container[str]]

_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
"""Members of `usage` that neither a clock nor a price list decides."""

_WORDING = ("error_message", "__reason")

OWN_WORDING = "own wording"
"""Name of the model for nodes that ask in words of their own: classifiers and extractors."""

_WORDED = ("prompts", "function")
"""What such a node shows of its words."""

_FILE = ("type", "transfer_method", "url", "filename", "extension", "mime_type", "size")
"""What both say of a file; the rest of it are keys to each one's own storage."""

_NOT_SHOWN = ("env.", "conversation.")
"""graphon's start node repeats all of these as outputs, secrets included; Hopline's only `sys.*`."""

_FACTS = ("status", "inputs", "outputs", "process", "error")

_UNTIL_IT_FAILED = ("inputs", "process")
"""What a failed node got to: graphon mostly says nothing of it, nor of what one that ends the run put out."""


def differences(peer: Result, hopline: Result) -> list[str]:
    """One line each, empty for runs that are the same."""
    return [
        *_run_differences(peer, hopline),
        *_node_differences(*_ended(peer, hopline), _FACTS),
        *(() if _have_failed(peer, hopline) else _outside_differences(peer, hopline)),
    ]


def order_differences(peer: Result, hopline: Result, groups: Groups | None = None) -> list[str]:
    """For engines that do one thing at a time: nodes must have started in the same order, too; with `groups`,
    those of each group among themselves. What a node reads is then recorded in the engine's own form, which
    is not compared."""
    return [
        *_run_differences(peer, hopline),
        *(() if _have_failed(peer, hopline) else _out_of_order(peer, hopline, groups)),
        *_node_differences(*_ended(peer, hopline), ("status", "outputs")),
    ]


def steady_groups(graph: Json) -> Groups:
    """Nodes whose order among themselves is no chance: those side by side, unless there is a container among
    them, which takes its time beside its neighbours, or they are in rounds that run beside each other."""
    parents = {one["id"]: one.get("parentId") for one in graph["nodes"]}
    at_once = {one["id"] for one in graph["nodes"] if one["data"].get("is_parallel")}
    members: defaultdict[str | None, set[str]] = defaultdict(set)
    for node_id, parent in parents.items():
        members[parent].add(node_id)

    def is_steady(parent: str | None) -> bool:
        return parent is None or (parent not in at_once and is_steady(parents[parent]))

    return [group for parent, group in members.items() if is_steady(parent) and not group & members.keys()]


def _out_of_order(peer: Result, hopline: Result, groups: Groups | None) -> Iterator[str]:
    for group in [peer.order, hopline.order] if groups is None else groups:
        theirs, ours = ([one for one in result.order if one in group] for result in (peer, hopline))
        if theirs != ours:
            yield f"order: graphon {theirs!r}, hopline {ours!r}"
            return


def _have_failed(peer: Result, hopline: Result) -> bool:
    return peer.status == hopline.status == "FAILED"


def _ended(peer: Result, hopline: Result) -> tuple[Sequence[Node], Sequence[Node]]:
    """What else a run has done before it notices that a node has failed depends on graphon's threads: of a
    failed run only what both have brought to an end is compared."""
    if not _have_failed(peer, hopline):
        return peer.nodes, hopline.nodes
    theirs, ours = (
        [node for node in nodes if node.status not in ("retry", "stopped")]
        for nodes in (peer.nodes, hopline.nodes)
    )
    both = {_place(node) for node in theirs} & {_place(node) for node in ours}
    return [one for one in theirs if _place(one) in both], [one for one in ours if _place(one) in both]


def _outside_differences(peer: Result, hopline: Result) -> Iterator[str]:
    """In what models and tools were asked, but for words of the engines' own. Branches ask in any order."""
    asked, called = (
        [[one for one in result.asked if one["model"] != OWN_WORDING] for result in (peer, hopline)],
        [[_given(call) for call in result.called] for result in (peer, hopline)],
    )
    for what, (theirs, ours) in (("asked", asked), ("called", called)):
        yield from _value(what, sorted(theirs, key=orjson.dumps), sorted(ours, key=orjson.dumps))


def _given(call: Json) -> Json:
    """A call without arguments that are null: Hopline leaves them out, Dify leaves them to the tool."""
    given = {name: value for name, value in call["arguments"].items() if value is not None}
    return {**call, "arguments": given}


def _run_differences(peer: Result, hopline: Result) -> Iterator[str]:
    yield from _value("status", peer.status, hopline.status)
    yield from _value("outputs", _plain(peer.outputs), _plain(hopline.outputs))
    if bool(peer.error) != bool(hopline.error):
        yield f"error: graphon {peer.error!r}, hopline {hopline.error!r}"


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
                if failed and (fact in _UNTIL_IT_FAILED or (fact == "outputs" and our["status"] == "failed")):
                    continue
                yield from _value(f"{place} {fact}", their[fact], our[fact])


def _by_place(nodes: Sequence[Node]) -> defaultdict[str, list[Json]]:
    """Place in the graph -> the facts of its executions."""
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for node in nodes:
        outputs = {name: one for name, one in node.outputs.items() if not name.startswith(_NOT_SHOWN)}
        found[_place(node)].append(
            {
                "status": node.status,
                "inputs": _plain(_known_inputs(node)),
                "outputs": _plain(outputs),
                "process": _plain(node.process),
                "error": bool(node.error),
            }
        )
    return found


def _known_inputs(node: Node) -> Any:
    """An assigner of version 2 shows its own configuration, graphon's with all defaults."""
    inputs = node.inputs
    return {"items": inputs["items"]} if inputs.get("type") == "assigner" else inputs


def _place(node: Node) -> str:
    rounds = "".join(f"#{one}" for one in node.round if one is not None)
    return f"{node.id}{rounds}"


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
    if name in _WORDING:
        return bool(value)
    if name in ("usage", "__usage") and isinstance(value, Mapping):
        return {key: value.get(key) for key in _TOKENS}
    if name == "value_type" and value in ("integer", "float"):
        return "number"
    if name == "request" and isinstance(value, str):
        # The world echoes what arrives; the request as a text differs in headers that only clients care for.
        return value.partition("?")[0].partition(" HTTP")[0]
    if isinstance(value, Mapping) and value.get("dify_model_identity"):
        return {key: value.get(key) for key in _FILE}
    if isinstance(value, Mapping):
        worded = value.get("model_name") == OWN_WORDING
        return {key: _plain(one, key) for key, one in value.items() if not (worded and key in _WORDED)}
    return [_plain(one) for one in value] if isinstance(value, list) else value
