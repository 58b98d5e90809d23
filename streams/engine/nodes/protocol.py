"""What a node type is to the engine: pure, and run in the hop that reaches it, a task for an executor, a
container whose nodes run in rounds, or a pause that an answer or a moment ends."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from schemas.pauses import Answer
from streams.engine.pool import Pool

Writes = Mapping[tuple[str, str], Any]
"""(node id or `conversation`, variable) -> its new value."""

_NOTHING: Mapping[str, Any] = {}
_NOTHING_WRITTEN: Writes = {}


class Outcome(NamedTuple):
    """What a pure node did."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    process_data: Mapping[str, Any] = _NOTHING
    handle: str | None = None
    """The case that was taken, for a node that branches."""
    writes: Writes = _NOTHING_WRITTEN
    """What an assigner does. Applied in this order, after which every node sees it that saw the variable
    before."""


class Task(NamedTuple):
    """What an executor is to do."""

    config: Any
    """The node's data with every selector resolved: an object, or an `orjson.Fragment` of it."""
    inputs: Mapping[str, Any]
    """The resolved input variables."""


class PureNode(Protocol):
    """A node that waits for nothing and does no I/O."""

    def run(self, pool: Pool) -> Outcome:
        """Raises `NodeFailure`. Never blocks; the pool stays as it is."""


class TaskNode(Protocol):
    """A node that waits or does I/O."""

    def task(self, pool: Pool) -> Task:
        """Raises `NodeFailure` where the task cannot even be described."""


class Asking(NamedTuple):
    """When a pause is to begin, and what it has to keep to."""

    now_us: int
    max_wait_s: int
    """The longest that a run may wait for a moment."""


class Asked(NamedTuple):
    """What a pause begins with."""

    metadata: Mapping[str, Any]
    """See `schemas.pauses.Metadata`; the engine adds the node."""
    expires_at: int
    """Microseconds. Now or earlier: there is no pause, and the node is done at once."""
    inputs: Mapping[str, Any] = _NOTHING
    """For its record, as far as they are known before the answer."""


class PauseNode(Protocol):
    """A node that waits for an answer, or for a moment. Never blocks; the pools stay as they are."""

    def ask(self, pool: Pool, asking: Asking) -> Asked:
        """Raises `NodeFailure` where there is nothing that could be asked."""

    def answered(self, metadata: Mapping[str, Any], answer: Answer) -> Outcome:
        """What comes of an answer to what was asked. Its inputs, if any, replace those that it began with."""

    def expired(self, metadata: Mapping[str, Any]) -> Outcome:
        """What comes of none."""


class Opened(NamedTuple):
    """What a container begins with."""

    inputs: Mapping[str, Any]
    """For its record."""
    length: int
    """The most rounds."""
    items: Sequence[Any] = ()
    """`item` of each round."""
    variables: Mapping[str, Any] = _NOTHING
    """Its own, for the nodes inside and after it."""


class Closed(NamedTuple):
    """What one round came to."""

    result: Any
    kept: bool = True
    """Whether the result counts."""
    last: bool = False
    """No more rounds begin."""
    fails: bool = False
    """The error of the round is one of the container."""


class ContainerNode(Protocol):
    """A node with a graph inside that runs in rounds. Never blocks; the pools stay as they are."""

    @property
    def kind(self) -> str:
        """iteration or loop: how `execution_metadata` names it."""

    @property
    def has_items(self) -> bool:
        """Whether a round sees an `item` and an `index`."""

    @property
    def shares_writes(self) -> bool:
        """Whether the variables that a round writes are those outside, too."""

    @property
    def parallel(self) -> int:
        """Rounds under way at the same time."""

    @property
    def is_parallel(self) -> bool:
        """Whether rounds may run at the same time at all."""

    def open(self, pool: Pool) -> Opened:
        """Raises `NodeFailure`."""

    def is_over(self, pool: Pool) -> bool:
        """Asked before each round, of what the container itself sees."""

    def close(self, pool: Pool, error: str | None) -> Closed:
        """What a round came to, of what its nodes see. Raises `NodeFailure`, which fails the container."""

    def outputs(self, results: Sequence[Any], pool: Pool) -> Mapping[str, Any]:
        """Of the results that count, in the order of the rounds."""

    def metadata(self, results: Sequence[Any]) -> Mapping[str, Any]:
        """For `execution_metadata`."""
