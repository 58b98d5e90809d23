"""What the strategies of one agent node share: its model, its tools, its log, and what all that took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.executors.agent.errors import AgentMaxIterationError
from streams.executors.agent.log import AgentLog, Step
from streams.executors.agent.tools import AgentTools, Observation
from streams.executors.models.client import ChatModel
from streams.executors.models.completion import Completion
from streams.executors.models.messages import ChatRequest, Message, Tool
from streams.executors.models.usage import NOTHING, Usage


@dataclass(kw_only=True)
class AgentSession:
    """One execution. `usage` and `files` grow with it."""

    execution_id: str
    model: ChatModel
    model_provider: str
    """As the node calls it."""
    parameters: Mapping[str, Any]
    tools: AgentTools
    log: AgentLog
    instruction: str
    query: str
    history: Sequence[Message]
    max_iterations: int
    usage: Usage = NOTHING
    files: list[dict[str, Any]] = field(default_factory=list)

    def begin_round(self, number: int) -> Step:
        """Counted from 1."""
        return self.log.begin(f"ROUND {number}")

    async def think(
        self,
        round_step: Step,
        messages: Sequence[Message],
        number: int,
        *,
        tools: tuple[Tool, ...] = (),
        tool_choice: str | None = None,
        stop: tuple[str, ...] = (),
    ) -> tuple[Completion, Step]:
        """Asks the model. The step is left for the strategy to end. Raises `InvokeError`."""
        step = self.log.begin(f"{self.model.name} Thought", round_step, provider=self.model_provider)
        request = ChatRequest(
            messages=tuple(messages),
            parameters=self.parameters,
            tools=tools,
            tool_choice=tool_choice,
            stop=stop,
            idempotency_key=f"{self.execution_id}/{number}",
        )
        completion = await self.model.chat(request)
        self.usage += completion.usage
        return completion, step

    async def act(
        self, round_step: Step, name: str, arguments: Mapping[str, Any], key: str
    ) -> tuple[Observation, Step]:
        """Calls a tool. `key` tells this call from the others of this node. The step is left likewise."""
        step = self.log.begin(f"CALL {name}", round_step, provider=self.tools.provider_of(name))
        observation = await self.tools.call(name, arguments, f"{self.execution_id}/{key}")
        self.files += observation.files
        return observation, step

    def exhausted(self) -> AgentMaxIterationError:
        """To be raised after the last round."""
        return AgentMaxIterationError(
            f"the agent has no answer after {self.max_iterations} rounds; raise maximum_iterations"
        )


def took(usage: Usage) -> dict[str, Any]:
    """What one step took, for its metadata."""
    return {
        "total_price": float(usage.total_price),
        "currency": usage.currency,
        "total_tokens": usage.total_tokens,
    }
