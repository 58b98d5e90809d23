"""The agent node: opens the model and the tools, lets the strategy run, says what it took."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from streams.executors.agent.errors import (
    AgentInvocationError,
    AgentParameterError,
    AgentStrategyNotFoundError,
)
from streams.executors.agent.function_calling import call_functions
from streams.executors.agent.log import AgentLog
from streams.executors.agent.react import reason_and_act
from streams.executors.agent.servers import inline_providers
from streams.executors.agent.session import AgentSession
from streams.executors.agent.settings import AgentSettings
from streams.executors.agent.tools import AgentTools, bind_tools
from streams.executors.errors import NodeExecutorError
from streams.executors.models.finding import Models
from streams.executors.models.prompting import as_messages, recent
from streams.executors.outcome import NodeCall, Outcome, failure
from streams.executors.tools.executor import NO_JSON
from streams.executors.tools.toolbox import Tool, Toolbox

_STRATEGIES: Mapping[str, Callable[[AgentSession], Awaitable[str]]] = {
    "function_calling": call_functions,
    "react": reason_and_act,
}
_DEFAULT_ITERATIONS = 3


class AgentExecutor:
    """A `NodeExecutor`. Its config and inputs are those of `engine.nodes.agent`."""

    def __init__(self, models: Models, toolbox: Toolbox, settings: AgentSettings) -> None:
        self._models = models
        self._toolbox = toolbox
        self._settings = settings

    async def __call__(self, call: NodeCall) -> Outcome:
        """See `NodeExecutor`. A failed tool is told to the model; a failed model fails the node."""
        metadata = {"tool_info": _tool_info(call.config)}
        try:
            strategy = _strategy(call.config)
            session = await self._open(call)
        except NodeExecutorError as error:
            return _failed(error, metadata)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                text = await strategy(session)
        except NodeExecutorError as error:
            return _failed(error, {**metadata, **_took(session)})
        except TimeoutError:
            limit = f"the agent has no answer after {self._settings.timeout_s:g} s"
            return _failed(AgentInvocationError(limit), {**metadata, **_took(session)})
        return Outcome(
            "succeeded",
            outputs={
                "text": text,
                "usage": session.usage.as_json(),
                "files": session.files,
                "json": [*session.log.as_json(), NO_JSON],
            },
            execution_metadata={**metadata, **_took(session)},
        )

    async def _open(self, call: NodeCall) -> AgentSession:
        inputs = call.inputs
        wanted = inputs.get("model")
        if not isinstance(wanted, Mapping) or not wanted.get("model"):
            raise AgentParameterError("the agent has no model")
        query = str(inputs.get("query") or "")
        if not query.strip():
            raise AgentParameterError("the agent is asked nothing: its query is empty")
        provider = str(wanted.get("provider") or "")
        model = self._models.find(call.tenant_id, provider, str(wanted["model"]))
        parameters = wanted.get("completion_params") or {}
        instruction = str(inputs.get("instruction") or "")
        turns = (call.config.get("memory") or {}).get("history") or []
        kept = recent(turns, model.settings, parameters, instruction + query)
        return AgentSession(
            execution_id=call.execution_id,
            model=model,
            model_provider=provider,
            parameters=parameters,
            tools=await self._tools(call),
            log=AgentLog(call.execution_id, call.node_id),
            instruction=instruction,
            query=query,
            history=as_messages(kept),
            max_iterations=self._iterations(inputs.get("maximum_iterations")),
        )

    async def _tools(self, call: NodeCall) -> AgentTools:
        more: list[Tool] = []
        for provider in inline_providers(call.inputs.get("mcp_servers_config"), call.tenant_id):
            more += await self._toolbox.all_of(provider)
        most = self._settings.max_observation_chars
        return await bind_tools(self._toolbox, call.inputs["tools"], call.tenant_id, more, most)

    def _iterations(self, wanted: Any) -> int:
        try:
            number = int(float(wanted)) if wanted not in (None, "") else _DEFAULT_ITERATIONS
        except (TypeError, ValueError, OverflowError) as wrong:
            raise AgentParameterError(f"maximum_iterations is {wanted!r}, which is no number") from wrong
        return min(max(number, 1), self._settings.max_iterations)


def _strategy(config: Mapping[str, Any]) -> Callable[[AgentSession], Awaitable[str]]:
    if config["strategy"] not in _STRATEGIES:
        name = f"{config['agent_strategy_provider_name']}/{config['agent_strategy_name']}".strip("/")
        raise AgentStrategyNotFoundError(
            f"agent strategy {name!r} is not known; there are function_calling and ReAct"
        )
    return _STRATEGIES[config["strategy"]]


def _tool_info(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"agent_strategy": config["agent_strategy_name"]}


def _took(session: AgentSession) -> dict[str, Any]:
    return {**session.usage.metadata(), "agent_log": session.log.as_metadata()}


def _failed(error: NodeExecutorError, metadata: Mapping[str, Any]) -> Outcome:
    return failure(error, execution_metadata=dict(metadata))
