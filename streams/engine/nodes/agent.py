"""agent: a task that carries the model, the tools with what is set of their parameters, and what is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.nodes.agent import AgentData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.asking import Fill, compile_memory
from streams.engine.nodes.protocol import Task
from streams.engine.nodes.tool_inputs import compile_inputs
from streams.engine.pool import MISSING, Pool, getter

_DECIDED_BY_THE_MODEL = 1
"""The value of `auto`, which is also the default."""


@dataclass(frozen=True, slots=True)
class AgentNode:
    """The task's config has type, title, strategy (function_calling or react), agent_strategy_name,
    agent_strategy_provider_name, plugin_unique_identifier, and memory; its inputs are the parameters of the
    agent. In them, `tools` is a list of {provider_name, type, tool_name, description, parameters}, of which
    the parameters are those that the model does not decide on.
    """

    config: Mapping[str, Any]
    parameters: Callable[[Pool], dict[str, Any]]
    memory: Fill

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`. Raises `NodeFailure` for a parameter of a tool whose variable is missing."""
        inputs = self.parameters(pool)
        tools = inputs.get("tools") or []
        if not isinstance(tools, list):
            raise NodeFailure("tools must be a list", "AgentInputTypeError")
        inputs["tools"] = [_tool(one, pool) for one in tools if isinstance(one, dict) and one.get("enabled")]
        return Task({**self.config, "memory": self.memory(pool)}, inputs)


def compile_agent(data: AgentData) -> AgentNode:
    """The values, compiled."""
    names = {
        "type",
        "title",
        "agent_strategy_name",
        "agent_strategy_provider_name",
        "plugin_unique_identifier",
    }
    config = {**data.model_dump(include=names), "strategy": data.strategy}
    return AgentNode(config, compile_inputs(data.agent_parameters), compile_memory(data.memory))


def _tool(tool: Mapping[str, Any], pool: Pool) -> dict[str, Any]:
    extra = tool.get("extra") or {}
    settings = {
        name: one.get("value") if isinstance(one, Mapping) else one
        for name, one in (tool.get("settings") or {}).items()
    }
    given = (tool.get("parameters") or {}).items()
    parameters = {name: _parameter(name, one, pool) for name, one in given}
    return {
        "provider_name": tool.get("provider_name") or "",
        "provider_id": tool.get("provider_id") or "",
        "type": tool.get("type") or "builtin",
        "tool_name": tool.get("tool_name") or "",
        "description": extra.get("description") or "",
        "parameters": {
            name: value for name, value in {**parameters, **settings}.items() if value is not None
        },
    }


def _parameter(name: str, given: Any, pool: Pool) -> Any:
    """None where the model decides."""
    if not isinstance(given, Mapping):
        return given
    if given.get("auto", _DECIDED_BY_THE_MODEL) == _DECIDED_BY_THE_MODEL:
        return None
    value = given.get("value")
    if not isinstance(value, Mapping):
        return value
    if value.get("type") != "variable":
        return value.get("value", "")
    selector = value.get("value") or []
    found = getter(selector)(pool)
    if found is MISSING:
        raise NodeFailure(
            f"parameter {name!r} is the variable {'.'.join(selector)}, which does not exist",
            "AgentVariableNotFoundError",
        )
    return found
