"""tool: a task that carries the values of the parameters; their types are the executor's business, who knows
the tool."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.nodes.tool import ToolData
from streams.engine.nodes.protocol import Task
from streams.engine.nodes.tool_inputs import compile_inputs
from streams.engine.pool import Pool

_NAMES = {
    "type", "title", "provider_id", "provider_type", "provider_name", "tool_name", "tool_label",
    "plugin_unique_identifier",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToolNode:
    """The task's config names the tool; its inputs are the parameters, those set in the editor first."""

    config: Mapping[str, Any]
    configurations: Callable[[Pool], dict[str, Any]]
    parameters: Callable[[Pool], dict[str, Any]]

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`."""
        # As in Dify, what was set in the editor wins.
        return Task(self.config, {**self.parameters(pool), **self.configurations(pool)})


def compile_tool(data: ToolData) -> ToolNode:
    """The values, compiled."""
    return ToolNode(
        data.model_dump(include=_NAMES),
        compile_inputs(data.tool_configurations),
        compile_inputs(data.tool_parameters),
    )
