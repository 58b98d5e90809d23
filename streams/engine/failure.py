"""What a node's configuration says about its failures: how often it is tried again, and what comes then.

Without an error strategy the run fails, or the round of the container that the node is in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.graph import DEFAULT_HANDLE
from schemas.nodes.base import NodeData
from streams.engine.retrying import Retrying, compile_retrying

FAIL_BRANCH = "fail-branch"


class Handled(NamedTuple):
    """The run goes on after a failure, with these outputs of the failed node, by this handle."""

    outputs: Mapping[str, Any]
    handle: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What one node says about its failures, and about when it has failed to end."""

    strategy: str | None
    defaults: Mapping[str, Any]
    retrying: Retrying
    timeout_s: float | None
    """Of one attempt; None: what the deployment says."""

    def handle(self, error: str, error_type: str) -> Handled | None:
        """None: the run fails."""
        if self.strategy is None:
            return None
        told = {"error_message": error, "error_type": error_type}
        if self.strategy == FAIL_BRANCH:
            return Handled(told, FAIL_BRANCH)
        return Handled({**self.defaults, **told}, DEFAULT_HANDLE)


def compile_policy(data: NodeData, *, may_retry: bool) -> Policy:
    """The default values are brought to their types once."""
    retrying = compile_retrying(data.retry_config, may_retry=may_retry)
    if not data.default_value:
        return _without_defaults(data.error_strategy, retrying, data.attempt_timeout_s)
    defaults = {entry.key: entry.typed() for entry in data.default_value}
    return Policy(data.error_strategy, defaults, retrying, data.attempt_timeout_s)


@lru_cache(maxsize=1024)
def _without_defaults(strategy: str | None, retrying: Retrying, timeout_s: float | None) -> Policy:
    """Shared, as `compile_retrying` has it."""
    return Policy(strategy, {}, retrying, timeout_s)
