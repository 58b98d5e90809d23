"""What every executor takes and gives. The engine turns an `Outcome` into the next step of the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Outcome:
    """One execution of one node that has ended; nothing about it is unknown or to be tried again."""

    status: Literal["succeeded", "failed"]
    outputs: dict[str, Any] = field(default_factory=dict)
    process_data: dict[str, Any] = field(default_factory=dict)
    """For the reader of the run: what was sent, what the code printed. No later node sees it."""
    error: str | None = None
    error_type: str | None = None
    """As Dify names it: the class of the error."""
    edge_source_handle: str | None = None
    """The branch to follow, for nodes that choose one."""


class NodeExecutor(Protocol):
    """Executes nodes of one type.

    Takes the node's `data` object, the values of its variables, and the id that makes its side effects
    recognisable. Faults of the node, its inputs or its peers come back as a failed `Outcome`; what is
    raised is a fault of this machine, and another may execute the node.
    """

    async def __call__(
        self, config: Mapping[str, Any], inputs: Mapping[str, Any], *, execution_id: str
    ) -> Outcome: ...
