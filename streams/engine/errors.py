"""What can go wrong in the engine.

EngineError
├── NodeFailure       a node cannot do what it is configured to: its error strategy, else the run fails
├── NeedsValue        a value is elsewhere: the caller brings it, and asks again
├── NewerState        bytes of a later release: stop, for it may be started again
└── UndecodableState  damaged bytes: dead-letter
"""

from collections.abc import Mapping
from typing import Any


class EngineError(Exception):
    """Any of the above."""


class NodeFailure(EngineError):
    """The message is for the author of the workflow. `error_type` is what a fail branch can tell apart.

    `inputs` is what the node had to work with, as far as it is known.
    """

    def __init__(
        self,
        reason: str,
        error_type: str = "NodeError",
        inputs: Mapping[str, Any] | None = None,
        *,
        status_code: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """`status_code` and `retry_after_s`: of the answer that was the failure, where there was one."""
        super().__init__(reason)
        self.reason = reason
        self.error_type = error_type
        self.inputs = inputs or {}
        self.status_code = status_code
        self.retry_after_s = retry_after_s


class NeedsValue(EngineError):
    """A node looks at a value of which the run has only a reference. Nothing has happened."""

    def __init__(self, digest: str) -> None:
        """`digest`: which value, see `schemas.references`."""
        super().__init__(f"needs value {digest}")
        self.digest = digest


class NewerState(EngineError):
    """A row of the run-state table whose format this release does not know yet."""


class UndecodableState(EngineError):
    """A row of the run-state table that this release cannot read."""
