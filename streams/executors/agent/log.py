"""What an agent did, step by step, in the shape of Dify's agent log."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.ids import entity_id

_SHOWN_CHARS = 10_000


@dataclass(slots=True)
class Step:
    """One entry: a round, or within it a thought of the model or a call of a tool."""

    id: str
    parent_id: str | None
    label: str
    metadata: dict[str, Any]
    """started_at and finished_at in seconds since the epoch, elapsed_time in seconds, and what it took."""
    data: Mapping[str, Any] = field(default_factory=dict)
    status: str = "start"
    """start, success or error."""
    error: str | None = None

    def end(self, data: Mapping[str, Any], error: str | None = None, **metadata: Any) -> None:
        """Long texts are cut: the log is for people."""
        finished_at = time.time()
        elapsed = max(finished_at - self.metadata["started_at"], 0.0)
        self.metadata |= {"finished_at": finished_at, "elapsed_time": elapsed, **metadata}
        self.data = _cut(data)
        self.status, self.error = ("error" if error else "success"), error


class AgentLog:
    """The steps of one node execution. Done again, it gives them the same ids."""

    def __init__(self, execution_id: str, node_id: str) -> None:
        self._execution_id = execution_id
        self._node_id = node_id
        self._steps: list[Step] = []

    def begin(self, label: str, parent: Step | None = None, **metadata: Any) -> Step:
        """The next step."""
        step_id = entity_id("agent", self._execution_id, str(len(self._steps)))
        step = Step(step_id, parent.id if parent else None, label, {"started_at": time.time(), **metadata})
        self._steps.append(step)
        return step

    def as_json(self) -> list[dict[str, Any]]:
        """As the output `json` shows it."""
        return [
            {
                "id": step.id,
                "parent_id": step.parent_id,
                "error": step.error,
                "status": step.status,
                "data": step.data,
                "label": step.label,
                "metadata": step.metadata,
                "node_id": self._node_id,
            }
            for step in self._steps
        ]

    def as_metadata(self) -> list[dict[str, Any]]:
        """As `execution_metadata.agent_log` has it: other names for two of the fields."""
        return [
            {**{key: value for key, value in step.items() if key != "id"}, "message_id": step["id"],
             "node_execution_id": self._execution_id}
            for step in self.as_json()
        ]  # fmt: skip


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {key: _cut(one) for key, one in value.items()}
    return [_cut(one) for one in value] if isinstance(value, list | tuple) else value
