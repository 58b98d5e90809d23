"""What a live stream is made of: records of runs and node executions, and the events that tell of them."""

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.codec import Record

RUNS = "runs"
NODES = "node.executions"
LOGS = "trigger.logs"

SCHEMAS = {RUNS: "WorkflowRun", NODES: "WorkflowNodeExecution", LOGS: "WorkflowTriggerLog"}

WORKFLOW_STARTED = "workflow_started"
WORKFLOW_PAUSED = "workflow_paused"
WORKFLOW_RESUMED = "workflow_resumed"
WORKFLOW_FINISHED = "workflow_finished"
NODE_STARTED = "node_started"
NODE_PAUSED = "node_paused"
NODE_RETRY = "node_retry"
NODE_FINISHED = "node_finished"

NODE_EVENTS = frozenset({NODE_STARTED, NODE_PAUSED, NODE_RETRY, NODE_FINISHED})

STARTED, PAUSED, RETRIED, ENDED = 1, 2, 3, 4
"""How far an execution, or a run, has come."""


class Place(NamedTuple):
    """A partition. `topic` is the registry's name."""

    topic: str
    partition: int


Places = dict[Place, int]
"""An offset in each."""

NOWHERE = -1
"""Partition and offset of what has not come from a topic."""


@dataclass(slots=True, eq=False)
class Change:
    """One record, shared by all who are told of it: nobody changes it."""

    topic: str
    partition: int
    offset: int
    record: Record
    """As the Avro schema of the topic has it: times in microseconds, JSON as text."""
    size: int = 0
    """Bytes of its value."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """By the names of events: what is sent of them, once somebody has needed it."""

    @property
    def run_id(self) -> str | None:
        """Of whose run it is; None for a node that was executed alone."""
        found: str | None = self.record["id" if self.topic == RUNS else "workflow_run_id"]
        return found


class Mark(NamedTuple):
    """How far something has come, in the order of time."""

    number: int
    """Of a node: which attempt. Of a run: the revision of its record; 0 for its start."""
    phase: int


class Event(NamedTuple):
    """What is told of a record."""

    name: str
    change: Change
    step: int
    """The index of the node in its run; 0 for the run itself."""
    mark: Mark
    is_last: bool
    """Whether there is no more to tell of the record."""
