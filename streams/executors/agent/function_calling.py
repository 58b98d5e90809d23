"""Function calling: the model itself says which tools it wants called, and with what."""

import asyncio
from collections.abc import Sequence

from streams.executors.agent.log import Step
from streams.executors.agent.session import AgentSession, took
from streams.executors.agent.tools import Json, Observation
from streams.executors.models.completion import Completion
from streams.executors.models.messages import Message, ToolCall

_LAST_ROUND = "This is the last step: no tool can be called any more. Answer with what you know by now."

_AT_ONCE = 16
"""Of the calls of one round: a model may ask for any number, and each takes a connection."""


async def call_functions(session: AgentSession) -> str:
    """The answer: what the model has said in all of its rounds. Raises `NodeExecutorError`.

    In the last round it can call no tools, unless that is the only one: then what they give is the answer.
    """
    messages = [
        *([Message("system", session.instruction)] if session.instruction.strip() else []),
        *session.history,
        Message("user", session.query),
    ]
    said: list[str] = []
    for number in range(1, session.max_iterations + 1):
        last = number == session.max_iterations > 1
        step = session.begin_round(number)
        asked = [*messages, Message("user", _LAST_ROUND)] if last and number > 1 else messages
        completion, thought = await session.think(
            step,
            asked,
            number,
            tools=session.tools.described,
            tool_choice="none" if last and session.tools.described else None,
        )
        arguments = await _arguments(completion.tool_calls)
        thought.end(_thought(completion, arguments), **took(completion.usage))
        said.append(completion.text.strip())
        calls = () if last else completion.tool_calls
        observed = await _act(session, step, calls, arguments, number)
        responses = [_response(call, seen) for call, seen in zip(calls, observed, strict=True)]
        output = {"llm_response": completion.text, "tool_responses": responses}
        step.end({"output": output}, **took(completion.usage))
        if not calls:
            if last and completion.tool_calls and not completion.text.strip():
                raise session.exhausted()
            break
        messages += [completion.as_message(), *_results(calls, observed)]
        if session.max_iterations == 1:
            said += [seen.text for seen in observed]
    return "\n".join(filter(None, said))


async def _act(
    session: AgentSession, round_step: Step, calls: Sequence[ToolCall], arguments: Sequence[Json], number: int
) -> list[Observation]:
    """The calls of one round do not depend on each other: the model has asked for all of them at once."""

    turns = asyncio.Semaphore(_AT_ONCE)

    async def act(i: int, call: ToolCall) -> Observation:
        async with turns:
            seen, step = await session.act(round_step, call.name, arguments[i], f"{number}/{i}")
        step.end({"output": _response(call, seen)}, seen.error)
        return seen

    return list(await asyncio.gather(*(act(i, call) for i, call in enumerate(calls))))


async def _arguments(calls: Sequence[ToolCall]) -> list[Json]:
    """Read beside the loop: what is no JSON takes long to repair."""
    return await asyncio.to_thread(lambda: [call.parsed() for call in calls])


def _thought(completion: Completion, arguments: Sequence[Json]) -> dict[str, object]:
    calls = completion.tool_calls
    return {
        "output": completion.text,
        "tool_name": ";".join(call.name for call in calls),
        "tool_input": [
            {"name": call.name, "args": given} for call, given in zip(calls, arguments, strict=True)
        ],
    }


def _response(call: ToolCall, seen: Observation) -> dict[str, object]:
    return {
        "tool_call_id": call.id,
        "tool_call_name": call.name,
        "tool_call_input": dict(seen.arguments),
        "tool_response": seen.text,
    }


def _results(calls: Sequence[ToolCall], observed: Sequence[Observation]) -> list[Message]:
    return [
        Message("tool", seen.text, tool_call_id=call.id) for call, seen in zip(calls, observed, strict=True)
    ]
