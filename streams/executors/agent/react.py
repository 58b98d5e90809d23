"""ReAct: the model writes what it thinks and does as text, so that any model can use tools.

Source: Yao et al., ReAct: Synergizing Reasoning and Acting in Language Models (2022).
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from streams.executors.agent.log import Step
from streams.executors.agent.react_reply import FINAL_ANSWER, Action, Reply, read_reply
from streams.executors.agent.session import AgentSession, took
from streams.executors.models.messages import Message, Tool

_STOP = ("Observation:",)

_MANUAL = """\
{instruction}

You can use tools to find out what you need. Each line describes one of them in JSON:
{tools}

Work step by step. Write one step at a time, in exactly this form:

Thought: what you know by now, and what you need next
Action: {{"action": "NAME", "action_input": {{"ARGUMENT": "VALUE"}}}}

NAME is one of: {names}. After your action the result follows as a message that begins with "Observation:"; \
never write one yourself. As soon as you know enough, end with:

Thought: I know the answer
Action: {{"action": "{final}", "action_input": "the whole answer, for the one who asked"}}"""

_LAST_ROUND = f'This is the last step: no tool can be called any more. Write the action "{FINAL_ANSWER}" now.'


async def reason_and_act(session: AgentSession) -> str:
    """The answer. Raises `NodeExecutorError`. In the last round it can call no tools."""
    messages = [
        Message("system", _manual(session.instruction, session.tools.described)),
        *session.history,
        Message("user", session.query),
    ]
    for number in range(1, session.max_iterations + 1):
        last = number == session.max_iterations
        step = session.begin_round(number)
        asked = [*messages, Message("user", _LAST_ROUND)] if last and number > 1 else messages
        completion, thought = await session.think(step, asked, number, stop=_STOP)
        # Beside the loop: what is no JSON takes long to repair.
        reply = await asyncio.to_thread(read_reply, completion.text)
        thought.end(_thought(reply), **took(completion.usage))
        observation = None
        if reply.action is not None and not last:
            observation = await _act(session, step, reply.action, number)
        step.end(_round(reply, observation), **took(completion.usage))
        if reply.action is None:
            return reply.answer
        if observation is not None:
            messages += [Message("assistant", reply.text), Message("user", f"Observation: {observation}")]
    raise session.exhausted()


async def _act(session: AgentSession, round_step: Step, action: Action, number: int) -> str:
    seen, step = await session.act(round_step, action.name, action.arguments, str(number))
    data = {"tool_name": action.name, "tool_call_args": dict(seen.arguments), "output": seen.text}
    step.end(data, seen.error)
    return seen.text


def _manual(instruction: str, tools: tuple[Tool, ...]) -> str:
    described = (
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools
    )
    return _MANUAL.format(
        instruction=instruction,
        tools="\n".join(json.dumps(one, ensure_ascii=False) for one in described) or "(there are none)",
        names=", ".join(tool.name for tool in tools) or FINAL_ANSWER,
        final=FINAL_ANSWER,
    ).strip()


def _thought(reply: Reply) -> Mapping[str, Any]:
    if reply.action is None:
        return {"thought": reply.thought, "action": FINAL_ANSWER, "action_input": reply.answer}
    return {
        "thought": reply.thought,
        "action": reply.action.name,
        "action_input": dict(reply.action.arguments),
    }


def _round(reply: Reply, observation: str | None) -> Mapping[str, Any]:
    thought = _thought(reply)
    return {
        "action_name": thought["action"],
        "action_input": thought["action_input"],
        "thought": reply.thought,
        "observation": observation or "",
    }
