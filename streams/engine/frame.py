"""What runs together, the run itself or one round of a container, and how far a container is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.ids import node_execution_id
from streams.engine.definition import NodePlan, Scope
from streams.engine.pool import Pool


class Join(NamedTuple):
    """A node some of whose incoming edges are decided."""

    undecided: int
    taken: int
    """Index of the first of its edges, in the order of the graph, that was taken; -1: none."""


class Rounds:
    """One execution of a container: how far its rounds are, and what they have used."""

    __slots__ = (
        "begun", "currency", "ended", "error", "execution_id", "failed_round", "length", "node_id", "path",
        "price", "stopped", "tokens",
    )  # fmt: skip

    def __init__(self, execution_id: str, path: str, node_id: str, length: int) -> None:
        self.execution_id = execution_id
        self.path = path
        """Of the frame that the container is in."""
        self.node_id = node_id
        self.length = length
        """The most rounds."""
        self.begun = 0
        self.ended = 0
        self.stopped = False
        """A condition or a loop-end says that there are to be no more rounds."""
        self.failed_round = -1
        """The first of the rounds that fail the container; -1: none."""
        self.error = ""
        self.tokens = 0
        self.price = "0"
        """Decimal."""
        self.currency = "USD"

    @property
    def is_closed(self) -> bool:
        """No more rounds begin."""
        return self.stopped or self.failed_round >= 0 or self.begun == self.length

    def fail(self, index: int, error: str) -> None:
        """That round fails the container. Of several the first counts, whatever the order they ended in."""
        if self.failed_round < 0 or index < self.failed_round:
            self.failed_round, self.error = index, error


class Frame:
    """Nodes that run together, and what they have given so far."""

    __slots__ = (
        "depth", "failure", "index", "joins", "kept", "loaded", "marks", "mask", "open", "others", "outer",
        "path", "pool", "rounds", "scope", "started_at", "stopped", "values",
    )  # fmt: skip

    def __init__(
        self, path: str, scope: Scope, started_at: int, values: dict[str, Mapping[str, Any]]
    ) -> None:
        self.path = path
        self.scope = scope
        self.started_at = started_at
        self.values = values
        """Node id -> outputs; those of a frame that was read, as far as they were asked for."""
        self.pool: Pool = values
        """What its nodes see."""
        self.joins: dict[int, Join] = {}
        """By the index of the node's plan."""
        self.open = 0
        """Nodes that are ready or have begun. Without any the frame is over."""
        self.failure: tuple[int, str] | None = None
        """Index and error of a node that failed without an error strategy; of several the first in the graph,
        whatever the order in which they failed."""
        self.stopped = False
        """A loop-end was reached."""
        self.outer: Frame | None = None
        self.rounds: Rounds | None = None
        """Which container it is a round of, and `index` which round. None: the run itself."""
        self.index = 0
        self.depth = 0
        self.marks: Mapping[str, Any] = {}
        """`execution_metadata` that all executions in it have."""
        self.kept: dict[str, Mapping[str, Any]] = {}
        """Those of `values` that need not be written."""
        self.mask = 0
        """Bit by index of plan: whether its outputs are a part of the state."""
        self.others: set[str] = set()
        """Further names whose values are parts of the state."""
        self.loaded: list[Any] | None = None
        """As it was read."""

    def fail(self, plan: NodePlan, error: str) -> None:
        """A node in it has failed without an error strategy."""
        if self.failure is None or plan.index < self.failure[0]:
            self.failure = (plan.index, error)

    @property
    def error(self) -> str | None:
        """Why it failed, once it is over."""
        return None if self.failure is None else self.failure[1]

    @property
    def container(self) -> str | None:
        """The execution of the container that it is a round of."""
        return None if self.rounds is None else self.rounds.execution_id

    def nest(self, outer: "Frame", rounds: Rounds, index: int, run_id: str) -> None:
        """Makes it a round of the container in `outer`, of that run."""
        node = outer.scope.by_id[rounds.node_id].container
        assert node is not None
        self.outer, self.rounds, self.index = outer, rounds, index
        self.depth = outer.depth + 1
        marks = {**outer.marks, f"{node.kind}_id": rounds.node_id, f"{node.kind}_index": index}
        if node.is_parallel:
            marks["parallel_mode_run_id"] = node_execution_id(run_id, rounds.node_id, self.path)
        self.marks = marks

    def has(self, name: str) -> bool:
        """Whether it has that value, which is not read for it."""
        return name in self.values or self.has_part(name)

    def has_part(self, name: str) -> bool:
        """Whether that value is a part of the state."""
        plan = self.scope.by_id.get(name)
        return name in self.others if plan is None else bool(self.mask >> plan.index & 1)

    def set_part(self, name: str, there: bool) -> None:
        """Notes whether that value is a part of the state."""
        plan = self.scope.by_id.get(name)
        if plan is not None:
            self.mask = self.mask | 1 << plan.index if there else self.mask & ~(1 << plan.index)
        elif there:
            self.others.add(name)
        else:
            self.others.discard(name)

    def names(self) -> list[str]:
        """Those of the values that are parts of the state."""
        return [plan.id for plan in self.scope.plans if self.mask >> plan.index & 1] + sorted(self.others)

    def release(self) -> None:
        """None of its nodes looks at anything any more. What they have seen refers to it: without this, only
        the garbage collector would find that it is not in use."""
        self.pool = self.values

    def row(self) -> list[Any]:
        """For its part."""
        return [
            self.rounds.execution_id if self.rounds else None,
            self.index,
            self.started_at,
            self.open,
            self.failure and list(self.failure),
            self.stopped,
            [f"{self.mask:x}", *sorted(self.others)],
            [[index, *join] for index, join in self.joins.items()],
        ]
