"""Errors of the executors.

NodeExecutorError
├── NotConfigured    the tenant has not set up what the node names: the node fails, and says so
├── FileUnreadable   a file that the node needs is gone, too large or out of reach: likewise
└── TooLate          its run has had its time: nothing is done that nobody waits for
"""


class NodeExecutorError(Exception):
    """The node fails with this message; its class is the `error_type`."""


class NotConfigured(NodeExecutorError):
    """What the node names is not there."""


class FileUnreadable(NodeExecutorError):
    """A file that cannot be had; the text names it and says why."""


class TooLate(NodeExecutorError):
    """Nobody waits for the node any more."""
