"""`agent`: a model that calls tools until it has an answer."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from schemas.nodes.base import NodeData, Text
from schemas.nodes.model import NoMemory
from schemas.nodes.tool import Inputs
from schemas.selectors import Reference

Strategy = Literal["function_calling", "react"]

_STRATEGIES: Mapping[str, Strategy] = {
    "function_calling": "function_calling",
    "react": "react",
    # The same two, which bring MCP servers along: of the plugin junjiem/mcp_see_agent.
    "mcp_sse_function_calling": "function_calling",
    "mcp_sse_react": "react",
}


def _without_schemas(given: Any) -> Any:
    """What the editor remembers of the parameters of tools is the larger part of many an export, and is not
    read: the provider knows better."""
    if isinstance(given, Mapping):
        return {name: _without_schemas(one) for name, one in given.items() if name != "schemas"}
    return [_without_schemas(one) for one in given] if isinstance(given, list) else given


class AgentData(NodeData):
    """`data` of an agent node. Its strategies are those of Dify's own plugin, `langgenius/agent`, and those
    that take the tools of MCP servers besides, of `junjiem/mcp_see_agent`."""

    agent_strategy_provider_name: Text = ""
    agent_strategy_name: Text = ""
    agent_parameters: Annotated[Inputs, BeforeValidator(_without_schemas)] = Field(default_factory=dict)
    """`model`, `tools`, `instruction`, `query`, `maximum_iterations`, `mcp_servers_config`."""
    memory: NoMemory = None
    plugin_unique_identifier: str | None = None

    @property
    def strategy(self) -> Strategy | None:
        """None for one that is not known."""
        return _STRATEGIES.get(self.agent_strategy_name.lower())

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for name, value in self.agent_parameters.items():
            yield from value.references(f"agent_parameters.{name}")

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        if self.strategy is None:
            strategy = self.agent_strategy_name or "none"
            yield (
                "agent_strategy_name",
                f"is {strategy}; there are function_calling and ReAct: the node will fail",
            )
        given = self.agent_parameters.get("tools")
        tools = given.value if given and isinstance(given.value, list) else ()
        for i, tool in enumerate(tools):
            if isinstance(tool, Mapping) and tool.get("enabled") and tool.get("type") == "workflow":
                yield (
                    f"agent_parameters.tools.{i}",
                    "is a workflow, which an agent cannot call: the node will fail unless the provider of"
                    " that name is something else",
                )
