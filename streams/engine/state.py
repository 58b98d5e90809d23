"""The state of one run between two commands, and its bytes in the run-state table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import orjson

from streams.engine.errors import UndecodableState

FORMAT = 1
"""Counts the forms of the bytes. A release reads all that came before."""

ROOT = ""
"""Path of the frame that the start node is in."""

RUNNING, SUCCEEDED, FAILED = "RUNNING", "SUCCEEDED", "FAILED"
STOPPED, PARTIAL_SUCCEEDED = "STOPPED", "PARTIAL_SUCCEEDED"


class Join(NamedTuple):
    """A node some of whose incoming edges are decided."""

    undecided: int
    taken: int
    """Index of the first of its edges, in the order of the graph, that was taken; -1: none."""


class Waiting(NamedTuple):
    """A node that is with an executor."""

    path: str
    node_id: str
    attempt: int
    step: int
    """Position in the order of execution, from 1."""
    predecessor: str | None
    created_at: int
    inputs: str
    """JSON, as recorded."""
    revision: int


@dataclass(slots=True)
class Frame:
    """One pass through a graph: the run as a whole, later also a round of an iteration or a loop."""

    values: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Node id -> outputs of the nodes that are done; `sys` as well, `env` never."""
    joins: dict[int, Join] = field(default_factory=dict)
    """By the index of the node's plan."""


@dataclass(slots=True)
class RunState:
    """What there is to know about a run. `advance` copies it and never changes the one it is given."""

    run_id: str
    tenant_id: str
    app_id: str
    workflow_id: str
    version: str
    graph_hash: str
    triggered_from: str
    created_by_role: str
    created_by: str | None
    event_at: int
    """When the event that started the run was accepted, in microseconds: the same if it is done again."""
    started_at: int
    """Microseconds."""
    inputs: str
    """JSON, as recorded. Empty once the run has ended."""
    trigger_log: dict[str, Any] | None
    """As last sent. None once the run has ended."""
    status: str = RUNNING
    error: str | None = None
    revision: int = 0
    """Of the run record that was last sent."""
    steps: int = 0
    exceptions: int = 0
    frames: dict[str, Frame] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """By node execution id."""

    @property
    def ended(self) -> bool:
        """Nothing will change it any more. It is kept for a while so that late commands are recognised."""
        return self.status != RUNNING

    def copy(self) -> "RunState":
        """Its own containers; the values in them are never changed."""
        return replace(
            self,
            frames={
                path: Frame(dict(frame.values), dict(frame.joins)) for path, frame in self.frames.items()
            },
            waiting=dict(self.waiting),
        )

    def forget(self) -> None:
        """Drops what only a run that goes on needs."""
        self.inputs, self.trigger_log = "", None
        self.frames, self.waiting = {}, {}


_SCALARS = tuple(f.name for f in fields(RunState) if f.name not in ("frames", "waiting"))


def encode(state: RunState) -> bytes:
    """For the run-state table."""
    frames = [
        [path, frame.values, [[index, *join] for index, join in frame.joins.items()]]
        for path, frame in state.frames.items()
    ]
    waiting = [[key, *entry] for key, entry in state.waiting.items()]
    return orjson.dumps([FORMAT, [getattr(state, name) for name in _SCALARS], frames, waiting])


def decode(value: bytes) -> RunState:
    """What `encode` wrote. Raises `UndecodableState`."""
    try:
        version, scalars, frames, waiting = orjson.loads(value)
        if version != FORMAT:
            raise UndecodableState(f"run state of format {version}, this release reads {FORMAT}")
        return RunState(
            **dict(zip(_SCALARS, scalars, strict=True)),
            frames={
                path: Frame(values, {index: Join(*join) for index, *join in joins})
                for path, values, joins in frames
            },
            waiting={key: Waiting(*entry) for key, *entry in waiting},
        )
    except (ValueError, TypeError) as wrong:
        raise UndecodableState(f"damaged run state: {wrong}") from wrong
