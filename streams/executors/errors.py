"""Errors of the executors.

NodeExecutorError
└── NotConfigured    the tenant has not set up what the node names: the node fails, and says so
"""


class NodeExecutorError(Exception):
    """The node fails with this message; its class is the `error_type`."""


class NotConfigured(NodeExecutorError):
    """What the node names is not there."""
