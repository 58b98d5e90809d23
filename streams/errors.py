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
