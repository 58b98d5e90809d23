"""`tool`: one call of one tool of a provider."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field

from schemas.nodes.base import NodeData, Text
from schemas.nodes.tool_inputs import ToolInput, as_inputs
from schemas.selectors import Reference

Inputs = Annotated[dict[str, ToolInput], BeforeValidator(as_inputs)]


class ToolData(NodeData):
    """`data` of a tool node. Whether the tenant has such a tool is known only when the node runs."""

    provider_id: Text = ""
    provider_type: str = "builtin"
    """`builtin`, `api`, `mcp`, `plugin`, `workflow`: where Dify has it from. Here a provider is found by its
    id or its name alone."""
    provider_name: Text = ""
    tool_name: str
    tool_label: Text = ""
    tool_configurations: Inputs = Field(default_factory=dict)
    """Set by whoever made the workflow. Before `tool_node_version` 2 they are bare values."""
    tool_parameters: Inputs = Field(default_factory=dict)
    plugin_unique_identifier: str | None = None

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for field in ("tool_configurations", "tool_parameters"):
            for name, value in getattr(self, field).items():
                yield from value.references(f"{field}.{name}")

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        if not (self.provider_id or self.provider_name):
            yield "provider_name", "is missing: whose tool is it?"
