"""A run that goes on where another one has failed: what it is told of that one. See docs/adr/0020."""

from typing import Any, TypedDict

RESUMED_FROM = "resumed_from"
"""Among the `execution_metadata` of a node that was not executed again: `workflow_run_id` and
`node_execution_id` of where it was, and `edge_source_handle`, by which it was left. Among the
`trigger_metadata` of the log: the id of the run that failed."""


class KeptNode(TypedDict):
    """A node that is not to be executed again."""

    status: str
    """succeeded, or exception: it has failed, and its error strategy has let the run go on."""
    inputs: dict[str, Any]
    process_data: dict[str, Any]
    outputs: dict[str, Any]
    handle: str | None
    """How it was left; None for one that does not branch."""
    error: str | None
    metadata: dict[str, Any]
    """`execution_metadata` of its record."""
    writes: list[tuple[str, str, Any]]
    """What an assigner has written: node id, variable, value."""


class Resumption(TypedDict):
    """In the MANUAL event and in the START command."""

    workflow_run_id: str
    """The run that failed."""
    kept: str
    """JSON of node id -> `KeptNode`, or of a reference to that among the values of the run that failed."""
