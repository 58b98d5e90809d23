"""Errors of the executors.

NodeExecutorError
├── NotConfigured    the tenant has not set up what the node names: the node fails, and says so
├── FileUnreadable   a file that the node needs is gone, too large or out of reach: likewise
├── TimedOut         the attempt has taken all the time that it may
└── TooLate          its run has had its time: nothing is done that nobody waits for
"""


class NodeExecutorError(Exception):
    """The node fails with this message; its class is the `error_type`."""

    status_code: int | None = None
    """Of the answer that was the failure, over HTTP."""
    retry_after_s: float | None = None
    """How long the peer wants to be left alone, if it says so."""


class NotConfigured(NodeExecutorError):
    """What the node names is not there."""


class FileUnreadable(NodeExecutorError):
    """A file that cannot be had; the text names it and says why."""


class TimedOut(NodeExecutorError):
    """It was broken off. Whether the peer has done something is not known."""


class TooLate(NodeExecutorError):
    """Nobody waits for the node any more."""
