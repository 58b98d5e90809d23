"""agent: what an executor is told."""

from typing import Any

import pytest

from schemas.nodes.agent import AgentData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.agent import compile_agent
from streams.engine.nodes.protocol import Task

POOL: dict[str, Any] = {"sys": {"query": "where?"}, "n": {"id": 7, "model": {"model": "m"}, "tools": []}}


def parsed(tools: Any = (), **data: Any) -> AgentData:
    inputs = {
        "query": {"type": "mixed", "value": "{{#sys.query#}}"},
        "model": {"type": "variable", "value": ["n", "model"]},
        "tools": {"type": "constant", "value": list(tools)},
    }
    given = {"agent_strategy_name": "ReAct", "agent_parameters": inputs, **data}
    return AgentData.model_validate({"type": "agent", "title": "A", **given})


def task(tools: Any = (), **data: Any) -> Task:
    return compile_agent(parsed(tools, **data)).task(POOL)


def test_the_parameters_are_filled_in() -> None:
    found = task()
    assert found.inputs == {"query": "where?", "model": {"model": "m"}, "tools": []}
    assert found.config["strategy"] == "react"
    assert found.config["memory"] is None


def test_tools_come_with_what_is_set_of_them() -> None:
    tool = {
        "enabled": True,
        "provider_name": "time",
        "type": "builtin",
        "tool_name": "now",
        "extra": {"description": "the time"},
        "settings": {"zone": {"value": "UTC"}, "unset": {"value": None}, "bare": 1},
        "parameters": {
            "auto": {"auto": 1, "value": None},
            "unsaid": {},
            "id": {"auto": 0, "value": {"type": "variable", "value": ["n", "id"]}},
            "text": {"auto": 0, "value": {"type": "mixed", "value": "at {{#n.id#}}"}},
            "plain": {"auto": 0, "value": 3},
            "old": "a value",
        },
        "schemas": [{"name": "not read: {{#n.nothing#}}"}],
    }
    assert task([tool, {**tool, "enabled": False}, "no tool"]).inputs["tools"] == [
        {
            "provider_name": "time",
            "provider_id": "",
            "type": "builtin",
            "tool_name": "now",
            "description": "the time",
            "parameters": {"id": 7, "text": "at 7", "plain": 3, "old": "a value", "zone": "UTC", "bare": 1},
        }
    ]


def test_a_variable_of_a_tool_must_exist() -> None:
    gone = {"id": {"auto": 0, "value": {"type": "variable", "value": ["n", "gone"]}}}
    with pytest.raises(NodeFailure, match=r"parameter 'id' is the variable n\.gone, which does not exist"):
        task([{"enabled": True, "parameters": gone}])


def test_what_it_refers_to() -> None:
    given = {"id": {"auto": 0, "value": {"type": "variable", "value": ["n", "id"]}}}
    tools = [{"enabled": True, "parameters": given, "schemas": [{"default": "{{#x.y#}}"}]}]
    assert {ref.selector for ref in parsed(tools).references()} == {
        ("sys", "query"), ("n", "model"), ("n", "id"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("function_calling", "function_calling"),
        ("ReAct", "react"),
        ("mcp_sse_ReAct", "react"),
        ("mcp_agent", None),
    ],
)
def test_strategies(name: str, strategy: str | None) -> None:
    data = parsed(agent_strategy_name=name)
    assert data.strategy == strategy
    assert bool(list(data.remarks())) == (strategy is None)


def test_a_workflow_among_the_tools_is_remarked_on() -> None:
    tools = [
        {"enabled": True, "type": "mcp"},
        {"enabled": True, "type": "workflow"},
        {"type": "workflow"},
        "?",
    ]
    [(field, why)] = parsed(tools).remarks()
    assert field == "agent_parameters.tools.1"
    assert "which an agent cannot call" in why


def test_an_agent_without_parameters_can_be_imported() -> None:
    assert parsed(agent_parameters=[]).agent_parameters == {}
