"""Frames: the run as a whole, and each round of an iteration or a loop, as a hop works on them.

Parts of the state that belong to them, by key:

`f:<path>`         a frame, but for the values of its nodes
`v:<path>:<name>`  what the node of that id gave in that frame; `sys` and `conversation` in the root as well
`c:<id>`           one execution of a container
`i:<id>:<page>`    `PAGE` of the elements that an iteration goes through
`r:<id>:<round>`   what came of one round
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streams.engine.definition import Definition, NodePlan
from streams.engine.frame import Frame, Join, Rounds
from streams.engine.pool import CONVERSATION, ENVIRONMENT, VALUES
from streams.engine.state import ROOT, RunState

PAGE = 16
"""Elements that are kept, and read, together."""


class View(Mapping[str, Mapping[str, Any]]):
    """What the nodes of a frame see: its own values, then those of the frames around it."""

    __slots__ = ("_frame", "_state")

    def __init__(self, frame: Frame, state: RunState) -> None:
        self._frame = frame
        self._state = state

    def get(self, name: str, default: Any = None) -> Any:
        """The outputs of a node that has any."""
        frame: Frame | None = self._frame
        while frame is not None:
            found = frame.values.get(name)
            if found is not None:
                return found
            if frame.has_part(name):
                found = frame.values[name] = frame.kept[name] = self._state.parts.get(
                    f"v:{frame.path}:{name}"
                )
                return found
            frame = frame.outer
        return default

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] | None = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def __iter__(self) -> Iterator[str]:
        names: dict[str, None] = {}
        frame: Frame | None = self._frame
        while frame is not None:
            names.update(dict.fromkeys([*frame.values, *frame.names()]))
            frame = frame.outer
        return iter(names)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Frames:
    """Those that a hop has to do with, read once and written when it is over."""

    def __init__(self, definition: Definition, state: RunState, brought: Mapping[str, Any]) -> None:
        """`brought`: see `streams.engine.pool.VALUES`."""
        self._brought = brought
        self._definition = definition
        self._state = state
        self._frames: dict[str, Frame] = {}
        self._rounds: dict[str, Rounds] = {}

    def root(self, values: dict[str, Mapping[str, Any]] | None = None) -> Frame:
        """The frame of the run: a new one with `values`, else the one that there is."""
        if values is None:
            return self.get(ROOT)
        values[ENVIRONMENT], values[VALUES] = self._definition.environment, self._brought
        frame = self._frames[ROOT] = Frame(ROOT, self._definition.root, self._state.started_at, values)
        return frame

    def get(self, path: str) -> Frame:
        """A frame of the run, with those around it."""
        return self._frames.get(path) or self._read(path)

    def add_round(
        self, outer: Frame, plan: NodePlan, rounds: Rounds, started_at: int, own: Mapping[str, Any]
    ) -> Frame:
        """The next round of a container, with the variables that the container has in this round only."""
        assert plan.inner is not None
        path = f"{outer.path}/{plan.id}/{rounds.begun}" if outer.path else f"{plan.id}/{rounds.begun}"
        frame = Frame(path, plan.inner, started_at, {})
        frame.nest(outer, rounds, rounds.begun, self._state.run_id)
        frame.pool = View(frame, self._state)
        if own:
            frame.values[plan.id] = frame.kept[plan.id] = own
        rounds.begun += 1
        self._frames[path] = frame
        return frame

    def end_round(self, frame: Frame) -> None:
        """Nothing of it is kept any more."""
        self._frames.pop(frame.path).release()
        if frame.loaded is None:
            return
        parts = self._state.parts
        for name in frame.names():
            parts.drop(f"v:{frame.path}:{name}")
        parts.drop(f"f:{frame.path}")

    def add_rounds(self, rounds: Rounds, items: Sequence[Any]) -> None:
        """A container has begun; `items` are what an iteration goes through."""
        self._rounds[rounds.execution_id] = rounds
        for begin in range(0, len(items), PAGE):
            page = items[begin : begin + PAGE]
            self._state.parts.put(f"i:{rounds.execution_id}:{begin // PAGE}", page)

    def item(self, rounds: Rounds, index: int) -> Any:
        """One of the elements that an iteration goes through."""
        return self._state.parts.get(f"i:{rounds.execution_id}:{index // PAGE}")[index % PAGE]

    def keep_result(self, rounds: Rounds, index: int, result: Sequence[Any]) -> None:
        """What came of a round."""
        self._state.parts.put(f"r:{rounds.execution_id}:{index}", result)

    def end_rounds(self, rounds: Rounds, items: int) -> list[Sequence[Any]]:
        """What came of the rounds, in their order. The container is over, nothing of it is kept."""
        parts, key = self._state.parts, rounds.execution_id
        results = [parts.get(f"r:{key}:{index}") for index in range(rounds.begun)]
        for index in range(rounds.begun):
            parts.drop(f"r:{key}:{index}")
        for page in range((items + PAGE - 1) // PAGE):
            parts.drop(f"i:{key}:{page}")
        if parts.get(f"c:{key}") is not None:
            parts.drop(f"c:{key}")
        del self._rounds[key]
        return results

    def write(self) -> None:
        """Brings the parts of the state up to date."""
        parts = self._state.parts
        for frame in self._frames.values():
            for name, value in frame.values.items():
                if name not in _GIVEN and frame.kept.get(name) is not value:
                    parts.put(f"v:{frame.path}:{name}", value)
                    frame.set_part(name, there=True)
            row = frame.row()
            if row != frame.loaded:
                parts.put(f"f:{frame.path}", row)
        for rounds in self._rounds.values():
            row = [getattr(rounds, name) for name in _ROUNDS]
            if row != parts.get(f"c:{rounds.execution_id}"):
                parts.put(f"c:{rounds.execution_id}", row)

    def release(self) -> None:
        """The hop is over. See `Frame.release`."""
        for frame in self._frames.values():
            frame.release()

    def assign(self, frame: Frame, writes: Mapping[tuple[str, str], Any]) -> None:
        """What a node in `frame` writes into variables of others, or of the conversation.

        A round of a loop shares that with what is around it, one of an iteration does not.
        """
        for (node_id, name), value in writes.items():
            owner = self.root() if node_id == CONVERSATION else _owner(frame, node_id, name)
            owner.values[node_id] = {**(owner.pool.get(node_id) or {}), name: value}

    def forget(self, name: str) -> None:
        """A value of the root that no node will ask for again."""
        root = self.root()
        root.values.pop(name, None)
        if root.has_part(name):
            root.set_part(name, there=False)
            self._state.parts.drop(f"v:{ROOT}:{name}")

    def _read(self, path: str) -> Frame:
        row = self._state.parts.get(f"f:{path}")
        execution_id, index, started_at, open_, failure, stopped, names, joins = row
        rounds = self._rounds_of(execution_id) if execution_id else None
        outer = self.get(rounds.path) if rounds else None
        plan = outer.scope.by_id[rounds.node_id] if outer and rounds else None
        frame = Frame(path, plan.inner if plan and plan.inner else self._definition.root, started_at, {})
        frame.loaded, frame.open, frame.stopped = row, open_, stopped
        frame.failure = tuple(failure) if failure else None
        frame.joins = {plan_index: Join(*join) for plan_index, *join in joins}
        frame.mask, frame.others = int(names[0], 16), set(names[1:])
        frame.pool = View(frame, self._state)
        if outer is None or rounds is None or plan is None or plan.container is None:
            frame.values[ENVIRONMENT] = self._definition.environment
            frame.values[VALUES] = self._brought
        else:
            frame.nest(outer, rounds, index, self._state.run_id)
            if plan.container.has_items and not frame.has_part(plan.id):
                own = {"item": self.item(rounds, index), "index": index}
                frame.values[plan.id] = frame.kept[plan.id] = own
        self._frames[path] = frame
        return frame

    def _rounds_of(self, execution_id: str) -> Rounds:
        rounds = self._rounds.get(execution_id)
        if rounds is None:
            rounds = self._rounds[execution_id] = Rounds("", "", "", 0)
            for name, value in zip(_ROUNDS, self._state.parts.get(f"c:{execution_id}"), strict=True):
                setattr(rounds, name, value)
        return rounds


def _owner(frame: Frame, node_id: str, name: str) -> Frame:
    """The frame whose variable a node in `frame` writes."""
    while frame.outer is not None and frame.rounds is not None:
        container = frame.outer.scope.by_id[frame.rounds.node_id].container
        assert container is not None
        if not container.shares_writes or name not in (frame.outer.pool.get(node_id) or {}):
            break
        frame = frame.outer
    return frame


_ROUNDS = Rounds.__slots__

_GIVEN = (ENVIRONMENT, VALUES)
"""What every hop brings along."""
