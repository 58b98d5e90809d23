"""What a tenant lets its code nodes do."""

from schemas.models.provider import Provider

DEFAULT_POLICY = "default"
"""The name of the one that holds for all code nodes of a tenant."""


class SandboxPolicy(Provider):
    """Without one of the name `default`, code nodes have no network. It has no credentials."""

    network: bool = False
    """Whether scripts in Python may make connections: through the egress guard, and only where the operator
    allows it at all (HOPLINE_SANDBOX_NETWORK)."""
