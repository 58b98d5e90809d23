"""What a stage does about a record that it cannot handle.

StreamError
├── Unroutable      no workflow to start: dead-letter
└── UnknownVersion  the pinned workflow version does not exist: dead-letter
"""


class StreamError(Exception):
    """Any of the above."""


class Unroutable(StreamError):
    """An event that no trigger and no workflow takes."""


class UnknownVersion(StreamError):
    """A command for a workflow version that is not in the definitions."""

    def __init__(self, workflow_id: str, version: str) -> None:
        super().__init__(f"workflow {workflow_id} has no version {version!r}")
