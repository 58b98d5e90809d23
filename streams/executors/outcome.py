"""What every executor takes and gives. The engine turns an `Outcome` into the next step of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from streams.executors.errors import NodeExecutorError
from transport.masking import Secrets, concealed


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
    execution_metadata: dict[str, Any] = field(default_factory=dict)
    """What it took: `total_tokens`, `total_price`, `currency`, `provider_response_latency` (seconds)."""
    writes: Sequence[tuple[str, str, Any]] = ()
    """(node id or `conversation`, variable, new value), of a pure node that was made a hop."""
    status_code: int | None = None
    """Of the answer that was the failure, over HTTP: a node may be tried again after some and not others."""
    retry_after_s: float | None = None
    """How long the peer wants to be left alone, if it says so."""

    def without(self, hide: Secrets | None) -> "Outcome":
        """The same with every secret masked."""
        return replace(
            self,
            outputs={name: concealed(value, hide) for name, value in self.outputs.items()},
            process_data=concealed(self.process_data, hide),
            error=concealed(self.error, hide),
            execution_metadata=concealed(self.execution_metadata, hide),
        )


def failure(error: NodeExecutorError, **more: Any) -> Outcome:
    """The outcome of a node that `error` ends; `more`: further fields of it."""
    return Outcome(
        "failed",
        error=str(error),
        error_type=type(error).__name__,
        status_code=error.status_code,
        retry_after_s=error.retry_after_s,
        **more,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCall:
    """One node to be executed: its NodeTask, with the secrets of the workflow put in."""

    node_type: str
    config: Mapping[str, Any]
    """The node's `data` with every selector resolved."""
    inputs: Mapping[str, Any]
    """The values of its variables."""
    execution_id: str
    """Makes its side effects recognisable: the `Idempotency-Key` of what it sends."""
    tenant_id: str = ""
    app_id: str = ""
    workflow_id: str = ""
    run_id: str = ""
    node_id: str = ""
    attempt: int = 1
    traceparent: str = ""
    """W3C Trace Context: the span of this execution."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Those of the workflow that are in `config` and `inputs`."""


class NodeExecutor(Protocol):
    """Executes nodes of one type.

    Faults of the node, its inputs or its peers come back as a failed `Outcome`; what is raised is a fault of
    this machine, and another may execute the node.
    """

    async def __call__(self, call: NodeCall) -> Outcome: ...
