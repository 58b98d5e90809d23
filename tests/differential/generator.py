"""Random workflows of all kinds of nodes, with branches, joins, containers and failures.

A node refers only to what certainly ended before it begins, and whoever touches a conversation variable comes
after all others who do, and so does whoever answers: else two runs might differ by their timing alone, and
so might two engines. No iteration touches conversation variables, for the reason in docs/compatibility.md.
"""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from schemas.models import WorkflowType
from tests.differential.compare import OWN_WORDING
from tests.differential.generated_nodes import (
    ANY,
    CONVERSATION,
    FLAG,
    LEAVES,
    NUMBER,
    NUMBERS,
    TEXT,
    TEXTS,
    TOOLS,
    Draw,
    Made,
    Scope,
    Variable,
    assigner,
    pick,
    reply,
)
from tests.differential.job import Job
from tests.graphs import Json, condition, edge, end, field, loop_variable, node, start

_MAX_DEPTH = 2
_ERROR_MODES = ("terminated", "continue-on-error", "remove-abnormal-output")
_CONVERSATION = tuple(Variable(("conversation", name), kind) for name, (_, kind) in CONVERSATION.items())
_GIVEN = (
    Variable(("start", "text"), TEXT), Variable(("start", "n"), NUMBER), Variable(("start", "yes"), FLAG),
    Variable(("env", "words"), TEXTS), Variable(("env", "numbers"), NUMBERS),
)  # fmt: skip
_REPLIES = (
    '{"category_id": "1", "category_name": "A", "word": "w", "count": 3}',
    '{"category_id": "2", "category_name": "B", "word": "ab"}',
    "nothing of the kind",
)


@dataclass(frozen=True, slots=True)
class _Spot:
    """A place to go on from: after a node, by one of its handles."""

    node_id: str
    handles: tuple[str, ...]
    before: frozenset[str]
    """Nodes that have ended by then, itself included."""
    scope: Scope


class _Builder:
    """One graph in the making."""

    def __init__(self, draw: Draw, chat: bool) -> None:
        self.draw = draw
        self.nodes: list[Json] = []
        self.edges: list[Json] = []
        self._chat = chat
        self._touching: set[str] = set()
        """Nodes that touch a conversation variable."""
        self._answers: set[str] = set()

    def region(self, entry: _Spot, size: int, depth: int = 0, iterating: bool = False) -> list[_Spot]:
        """Nodes after `entry`; each follows one or two that are there."""
        spots = [entry]
        for _ in range(size):
            at = self._after(spots, [spots[-1]] if self.draw(st.booleans()) else None)
            spots.append(self._add(at, depth, iterating))
        return spots

    def _after(self, spots: list[_Spot], chosen: list[_Spot] | None = None) -> _Spot:
        """A new place, behind some of the spots; the edges to it are there."""
        node_id = f"n{len(self.nodes)}"
        before = chosen or self.draw(st.lists(st.sampled_from(spots), min_size=1, max_size=2, unique_by=id))
        for spot in before:
            handles = st.lists(st.sampled_from(spot.handles), min_size=1, max_size=2, unique=True)
            self.edges += [edge(spot.node_id, node_id, handle) for handle in self.draw(handles)]
        scope = tuple(dict.fromkeys(one for spot in before for one in spot.scope))
        return _Spot(node_id, (), frozenset().union(*(spot.before for spot in before)), scope)

    def _add(self, at: _Spot, depth: int, iterating: bool) -> _Spot:
        kinds = [*LEAVES]
        may_touch = not iterating and self._touching <= at.before
        if may_touch:
            at = replace(at, scope=(*at.scope, *_CONVERSATION))
            kinds += [assigner, assigner]
        if self._chat and not depth and self._answers <= at.before:
            kinds += [reply, reply]
        if depth < _MAX_DEPTH and self.draw(st.integers(0, 3)) == 0:
            made = self._container(at, depth, iterating)
        else:
            made = self.draw(st.sampled_from(kinds))(self.draw, at.node_id, at.scope)
            self.nodes.append(made.node)
            if "conversation" in str(made.node):
                self._touching.add(at.node_id)
            if made.node["data"]["type"] == "answer":
                self._answers.add(at.node_id)
        return self._left(at, made)

    @staticmethod
    def _left(at: _Spot, made: Made) -> _Spot:
        mine = tuple(Variable((at.node_id, *name.split(".")), kind) for name, kind in made.outputs.items())
        scope = tuple(one for one in at.scope if one.selector[0] != "conversation")
        return _Spot(at.node_id, made.handles, at.before | {at.node_id}, (*scope, *mine))

    def _container(self, at: _Spot, depth: int, iterating: bool) -> Made:
        first = len(self.nodes)
        touching = set(self._touching)
        self.nodes.append({})  # Takes the id.
        is_loop = self.draw(st.booleans())
        made = (self._loop if is_loop else self._iteration)(at, depth, iterating)
        own, inside = made.node, self.nodes[first + 1 :]
        self.nodes[first:] = [own, *({"parentId": own["id"], **one} for one in inside)]
        if self._touching - touching or "conversation" in str(own):
            self._touching = touching | {at.node_id}
        return made

    def _iteration(self, at: _Spot, depth: int, iterating: bool) -> Made:
        node_id, draw = at.node_id, self.draw
        items = pick(draw, at.scope, TEXTS, NUMBERS)
        at_once = draw(st.booleans())
        begin = f"{node_id}s"
        own = (
            Variable((node_id, "item"), TEXT if items.kind == TEXTS else NUMBER),
            Variable((node_id, "index"), NUMBER),
        )
        known = tuple(one for one in at.scope if one.selector[0] != "conversation")
        self.nodes.append(node(begin, "iteration-start"))
        entry = _Spot(begin, ("source",), at.before | {begin}, (*known, *own))
        spots = self.region(entry, draw(st.integers(1, 3)), depth + 1, iterating=True)
        put_out = pick(draw, [one for spot in spots for one in spot.scope if one not in known])
        made = node(
            node_id, "iteration", start_node_id=begin, iterator_selector=list(items.selector),
            output_selector=list(put_out.selector), error_handle_mode=draw(st.sampled_from(_ERROR_MODES)),
            is_parallel=at_once, parallel_nums=draw(st.integers(1, 3)), flatten_output=draw(st.booleans()),
        )  # fmt: skip
        return Made(made, {"output": ANY})

    def _loop(self, at: _Spot, depth: int, iterating: bool) -> Made:
        node_id, draw = at.node_id, self.draw
        begin, plus = f"{node_id}s", f"{node_id}p"
        own = (Variable((node_id, "count"), NUMBER), Variable((node_id, "said"), TEXT))
        known = tuple(one for one in at.scope if one.selector[0] != "conversation")
        item = {
            "variable_selector": [node_id, "count"],
            "input_type": "constant",
            "operation": "+=",
            "value": 1,
        }
        self.nodes += [node(begin, "loop-start"), node(plus, "assigner", version="2", items=[item])]
        self.edges.append(edge(begin, plus))
        entry = _Spot(plus, ("source",), at.before | {begin, plus}, (*known, *own))
        spots = self.region(entry, draw(st.integers(0, 2)), depth + 1, iterating)
        if draw(st.integers(0, 2)) == 0:
            self.nodes.append(node(self._after(spots).node_id, "loop-end"))
        enough = condition([node_id, "count"], "≥", str(draw(st.integers(1, 4))))
        said = list(pick(draw, known, TEXT).selector)
        made = node(
            node_id, "loop", start_node_id=begin, loop_count=draw(st.integers(1, 4)), logical_operator="or",
            loop_variables=[loop_variable("count", "number", 0), loop_variable("said", "string", said)],
            break_conditions=[enough],
        )  # fmt: skip
        return Made(made, {"count": NUMBER, "said": TEXT, "loop_round": NUMBER})

    def ends(self, spots: list[_Spot]) -> None:
        """One or two ends, each with outputs of its own names; an answer in a chat that has none."""
        if self._chat:
            if not self._answers:
                at = self._after(spots)
                self.nodes.append(reply(self.draw, at.node_id, at.scope).node)
            return
        for _ in range(self.draw(st.integers(1, 2))):
            at = self._after(spots)
            shown = self.draw(st.lists(st.sampled_from(at.scope), max_size=4))
            outputs = {f"{at.node_id}_{i}": list(one.selector) for i, one in enumerate(shown)}
            self.nodes.append(end(at.node_id, **outputs))


@st.composite
def jobs(draw: Draw) -> Job:
    """A workflow or a chat, with what goes in and what the world says."""
    chat = draw(st.booleans())
    builder = _Builder(draw, chat)
    fields = [field("text", required=False), field("n", "number"), field("yes", "checkbox")]
    builder.nodes.append(start(*fields))
    entry = _Spot("start", ("source",), frozenset({"start"}), _GIVEN)
    builder.ends(builder.region(entry, draw(st.integers(1, 7))))
    words, numbers = (
        st.lists(st.sampled_from(("a", "b", "ab")), max_size=4),
        st.lists(st.integers(0, 3), max_size=4),
    )
    given: dict[str, Any] = {"words": draw(words), "numbers": draw(numbers)}
    kept: dict[str, Any] = {"s": "a", "n": 1, "l": ["x", "a"]}
    return Job(
        {"nodes": draw(st.permutations(builder.nodes)), "edges": draw(st.permutations(builder.edges))},
        {
            "text": draw(st.sampled_from(("", "a", "b", "ab"))),
            "n": draw(st.integers(-1, 3)),
            "yes": draw(st.booleans()),
        },
        WorkflowType.CHAT if chat else WorkflowType.WORKFLOW,
        query="hello" if chat else "",
        environment=[{"name": name, "value": value} for name, value in given.items()],
        conversation=[
            {"name": name, "value_type": CONVERSATION[name][0], "value": value}
            for name, value in kept.items()
        ],
        models={
            "m": {"text": "M: {last}"},
            "broken": {"text": "", "error": "boom"},
            OWN_WORDING: {"text": draw(st.sampled_from(_REPLIES))},
        },
        tools=TOOLS,
    )
