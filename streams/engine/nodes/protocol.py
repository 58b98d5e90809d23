"""What a node type is to the engine: pure, and run in the hop that reaches it, or a task for an executor."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from streams.engine.pool import Pool

_NOTHING: Mapping[str, Any] = {}
_NOTHING_WRITTEN: Mapping[tuple[str, str], Any] = {}


class Outcome(NamedTuple):
    """What a pure node did."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    process_data: Mapping[str, Any] = _NOTHING
    handle: str | None = None
    """The case that was taken, for a node that branches."""
    writes: Mapping[tuple[str, str], Any] = _NOTHING_WRITTEN
    """(node id or `conversation`, variable) -> its new value: what an assigner does. Applied in this order,
    after which every node sees it that saw the variable before."""


class Task(NamedTuple):
    """What an executor is to do."""

    config: Mapping[str, Any]
    """The node's data with every selector resolved."""
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
