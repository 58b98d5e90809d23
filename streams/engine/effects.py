"""What follows from a command: records, ready for their Avro schemas."""

from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NodeExecuted:
    """A change of a node execution, for node.executions (WorkflowNodeExecution)."""

    record: Record


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A change of the run, for runs (WorkflowRun)."""

    record: Record


@dataclass(frozen=True, slots=True)
class LogChanged:
    """A change of the trigger log, for trigger.logs (WorkflowTriggerLog)."""

    record: Record


@dataclass(frozen=True, slots=True)
class TaskScheduled:
    """Work for an executor, for node.tasks.<queue> (NodeTask)."""

    record: Record
    queue: str
    traceparent: str
    """W3C Trace Context: the span of the execution, for what it asks of others."""


@dataclass(frozen=True, slots=True)
class TasksCancelled:
    """Tasks that nobody waits for any more, for node.cancellations (NodeCancellation)."""

    record: Record
    tools: tuple[str, ...]
    """Those of them that are of tool nodes: each may have called a workflow."""


@dataclass(frozen=True, slots=True)
class ConversationChanged:
    """What a turn leaves to those after it, for conversation.commands (ConversationCommand)."""

    record: Record


Effect = NodeExecuted | RunChanged | LogChanged | TaskScheduled | TasksCancelled | ConversationChanged
