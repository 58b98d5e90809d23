"""The agent node: a canned model, a real API for its tools."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT
from schemas.nodes.agent import AgentData
from streams.engine.nodes.agent import compile_agent
from streams.engine.pool import HISTORY, TURNS
from streams.executors.agent.executor import AgentExecutor
from streams.executors.agent.settings import AgentSettings
from streams.executors.outcome import NodeCall, Outcome
from tests.streams.executors.models.endpoint import Endpoint, Reply, running_endpoint, spoken
from tests.streams.executors.models.endpoint import provider as model_provider
from tests.streams.executors.tools.mcp_server import Front, new_server, serving
from tests.streams.executors.tools.orders_api import DOCUMENT, OrdersApi, orders_api
from tests.streams.executors.tools.workbench import Workbench, provider, workbench

PRICING = {"pricing": {"input": "0.001", "output": "0.002", "unit": "1"}}


@dataclass
class Scene:
    bench: Workbench
    api: OrdersApi
    endpoint: Endpoint
    settings: AgentSettings

    async def run(self, strategy: str = "function_calling", pool: Any = None, **parameters: Any) -> Outcome:
        data = AgentData.model_validate(agent(strategy, **parameters))
        task = compile_agent(data).task({"sys": {"query": "where is order 7?"}, **(pool or {})})
        call = NodeCall(node_type="agent", config=task.config, inputs=task.inputs, execution_id="e-1",
                        tenant_id=DEFAULT_TENANT, node_id="a")  # fmt: skip
        return await AgentExecutor(self.bench.models, self.bench.toolbox, self.settings)(call)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with orders_api() as api, running_endpoint() as endpoint:
        orders = provider("orders", kind="openapi", document=DOCUMENT, server_url=api.url)
        model = model_provider(endpoint.url, "langgenius/openai/openai", models={"*": PRICING})
        async with workbench(tmp_path, [orders], ["127.0.0.1"]) as bench:
            # The endpoint's own box has the same key as the workbench's.
            bench.add(model)
            yield Scene(bench, api, endpoint, AgentSettings())


def tool(name: str = "getOrder", **given: Any) -> dict[str, Any]:
    return {"enabled": True, "provider_name": "orders", "tool_name": name, "type": "api", **given}


def agent(strategy: str, **parameters: Any) -> dict[str, Any]:
    model = {
        "provider": "langgenius/openai/openai",
        "model": "gpt-x",
        "completion_params": {"temperature": 0},
    }
    values = {
        "model": model,
        "tools": [tool(), tool("addOrder", enabled=False)],
        "instruction": "Be brief.",
        "query": "{{#sys.query#}}",
        "maximum_iterations": 5,
        **parameters,
    }
    memory = values.pop("memory", None)
    inputs = {name: {"type": "constant", "value": value} for name, value in values.items()}
    return {
        "type": "agent",
        "title": "A",
        "agent_strategy_name": strategy,
        "agent_strategy_provider_name": "langgenius/agent/agent",
        "agent_parameters": inputs,
        "memory": memory,
    }


def calls(*wanted: tuple[str, Any], text: str = "") -> Reply:
    """A reply that asks for tools."""
    asked = [
        {"index": i, "id": f"c{i}", "type": "function",
         "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)}}
        for i, (name, given) in enumerate(wanted)
    ]  # fmt: skip
    return Reply(spoken(text, tool_calls=asked))


def says(text: str) -> Reply:
    return Reply(spoken(text))


def acts(name: str, given: Any, thought: str = "hm") -> Reply:
    return says(f"Thought: {thought}\nAction: {json.dumps({'action': name, 'action_input': given})}")


async def test_functions_are_called_until_there_is_an_answer(scene: Scene) -> None:
    scene.endpoint.replies = [
        calls(("getOrder", {"id": 7}), ("getOrder", {"id": 8})),
        says("It is on its way."),
    ]
    outcome = await scene.run()
    assert outcome.status == "succeeded", outcome.error
    assert outcome.outputs["text"] == "It is on its way."
    first, second = (asked.body for asked in scene.endpoint.asked)
    assert first["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "where is order 7?"},
    ]
    assert [one["function"]["name"] for one in first["tools"]] == ["getOrder"]
    assert first["temperature"] == 0
    assert [message["role"] for message in second["messages"][2:]] == ["assistant", "tool", "tool"]
    assert second["messages"][3] == {
        "role": "tool", "tool_call_id": "c0", "content": '{"path": "/orders/7", "told": null}',
    }  # fmt: skip


async def test_a_model_that_asks_for_many_tools_is_given_them_by_and_by(scene: Scene) -> None:
    scene.endpoint.replies = [calls(*[("getOrder", {"id": 99})] * 60), says("Done.")]
    outcome = await scene.run()
    assert outcome.outputs["text"] == "Done."
    assert len(scene.api.received) == 60
    assert 1 < scene.api.most_at_once <= 16


async def test_what_is_to_be_repaired_is_so_beside_the_loop(scene: Scene, monkeypatch: Any) -> None:
    repair, threads = "streams.executors.models.replies.repair_json", list[threading.Thread]()
    monkeypatch.setattr(repair, lambda *_, **__: threads.append(threading.current_thread()))
    for strategy, reply in (("function_calling", calls(("x", "{a"))), ("ReAct", says('{"action": x'))):
        scene.endpoint.replies = [reply, says("Done.")]
        await scene.run(strategy)
    assert [thread is threading.main_thread() for thread in threads] == [False, False]


async def test_what_it_took_is_summed_up(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("getOrder", {"id": 7})), says("Done.")]
    outcome = await scene.run()
    assert outcome.outputs["usage"]["total_tokens"] == 2400
    assert outcome.outputs["usage"]["total_price"] == "2.8000000"
    metadata = outcome.execution_metadata
    assert (metadata["total_tokens"], metadata["total_price"], metadata["currency"]) == (2400, 2.8, "USD")
    assert metadata["tool_info"] == {"agent_strategy": "function_calling"}


async def test_every_step_is_in_the_log(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("getOrder", {"id": 7}), text="Let me see."), says("Done.")]
    outcome = await scene.run()
    assert outcome.outputs["text"] == "Let me see.\nDone."
    *steps, closing = outcome.outputs["json"]
    assert closing == {"data": []}
    assert [step["label"] for step in steps] == [
        "ROUND 1", "gpt-x Thought", "CALL getOrder", "ROUND 2", "gpt-x Thought",
    ]  # fmt: skip
    assert {step["status"] for step in steps} == {"success"}
    assert [step["parent_id"] for step in steps[:3]] == [None, steps[0]["id"], steps[0]["id"]]
    assert steps[1]["data"]["tool_input"] == [{"name": "getOrder", "args": {"id": 7}}]
    assert steps[2]["metadata"]["provider"] == "orders"
    assert steps[2]["data"]["output"]["tool_response"] == '{"path": "/orders/7", "told": null}'
    log = outcome.execution_metadata["agent_log"]
    assert [step["message_id"] for step in log] == [step["id"] for step in steps]
    assert {step["node_execution_id"] for step in log} == {"e-1"}


async def test_done_again_it_is_recognisable_by_its_keys(scene: Scene) -> None:
    ids = []
    for _ in range(2):
        scene.endpoint.replies = [calls(("getOrder", {"id": 7}), ("getOrder", {"id": 8})), says("Done.")]
        outcome = await scene.run()
        ids.append([step["id"] for step in outcome.outputs["json"][:-1]])
    assert ids[0] == ids[1]
    keys = sorted(headers["idempotency-key"] for _, _, headers, _ in scene.api.received)
    assert keys == ["e-1/1/0", "e-1/1/0", "e-1/1/1", "e-1/1/1"]
    assert [asked.headers["idempotency-key"] for asked in scene.endpoint.asked] == ["e-1/1", "e-1/2"] * 2


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("fails", {}, "the tool failed: fails answered with status 418"),
        ("getOrder", {"id": "x"}, "the tool failed: parameter 'id' must be integer"),
        ("getOrder", "{broken", "the tool failed: parameter 'id' is required"),
        ("nothing", {}, "there is no tool 'nothing'; the tools are: getOrder, fails"),
    ],
)
async def test_the_model_is_told_what_went_wrong(scene: Scene, name: str, given: Any, told: str) -> None:
    scene.endpoint.replies = [calls((name, given)), says("Sorry.")]
    outcome = await scene.run(tools=[tool(), tool("fails")])
    assert outcome.outputs["text"] == "Sorry."
    assert scene.endpoint.last["messages"][-1]["content"].startswith(told)
    call = outcome.outputs["json"][2]
    assert call["status"] == "error"
    assert call["error"].startswith(told)


async def test_files_of_tools_are_files_of_the_node(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("picture", {})), says("See there.")]
    outcome = await scene.run(tools=[tool("picture")])
    assert [file["filename"] for file in outcome.outputs["files"]] == ["dot.png"]
    assert "dot.png" in scene.endpoint.last["messages"][-1]["content"]


async def test_what_is_set_in_the_editor_is_not_for_the_model(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("getOrder", {"id": 1, "lang": "en"})), says("Done.")]
    given = {
        "id": {"auto": 0, "value": {"type": "variable", "value": ["n", "id"]}},
        "fields": {"auto": 1, "value": None},
        "tags": {"auto": 0, "value": {"type": "mixed", "value": "{{#n.tag#}}"}},
    }
    wanted = tool(
        parameters=given, settings={"lang": {"value": "de"}}, extra={"description": "Mine"}, schemas=[{}]
    )
    outcome = await scene.run(pool={"n": {"id": 9, "tag": "t"}}, tools=[wanted])
    assert outcome.status == "succeeded", outcome.error
    function = scene.endpoint.asked[0].body["tools"][0]["function"]
    assert function["description"] == "Mine"
    assert list(function["parameters"]["properties"]) == ["fields", "filter", "X-Trace", "seen"]
    assert function["parameters"]["required"] == []
    assert scene.api.received[0][1] == "/orders/9?tags=t&lang=de"


async def test_two_tools_of_one_name_are_told_apart(scene: Scene) -> None:
    scene.bench.add(provider("more", kind="openapi", document=DOCUMENT, server_url=scene.api.url))
    scene.endpoint.replies = [says("Done.")]
    await scene.run(tools=[tool(), tool(provider_name="more")])
    assert [one["function"]["name"] for one in scene.endpoint.last["tools"]] == ["getOrder", "getOrder_2"]


async def test_after_the_last_round_there_is_an_answer_without_tools(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("getOrder", {"id": 7})), says("That is all I know.")]
    outcome = await scene.run(maximum_iterations=2)
    assert outcome.outputs["text"] == "That is all I know."
    assert scene.endpoint.last["tool_choice"] == "none"
    assert scene.endpoint.last["messages"][-1]["role"] == "user"


async def test_a_model_that_never_answers_fails_the_node(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("getOrder", {"id": 7}))]
    outcome = await scene.run(maximum_iterations=3)
    assert (outcome.status, outcome.error_type) == ("failed", "AgentMaxIterationError")
    assert len(scene.api.received) == 2
    assert outcome.execution_metadata["total_tokens"] == 3600
    assert len(outcome.execution_metadata["agent_log"]) == 8


async def test_one_round_gives_what_the_tools_gave(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("getOrder", {"id": 7}))]
    outcome = await scene.run(maximum_iterations="1")
    assert outcome.outputs["text"] == '{"path": "/orders/7", "told": null}'
    assert len(scene.endpoint.asked) == 1


async def test_the_deployment_has_a_ceiling(scene: Scene) -> None:
    scene.settings = AgentSettings(max_iterations=2)
    scene.endpoint.replies = [calls(("getOrder", {"id": 7}))]
    outcome = await scene.run(maximum_iterations=50)
    assert outcome.error == "the agent has no answer after 2 rounds; raise maximum_iterations"


async def test_an_agent_has_a_time_limit(scene: Scene) -> None:
    scene.settings = AgentSettings(timeout_s=0.3)
    scene.endpoint.replies = [calls(("slow", {}))]
    outcome = await scene.run(tools=[tool("slow")])
    assert (outcome.error_type, outcome.error) == (
        "AgentInvocationError", "the agent has no answer after 0.3 s",
    )  # fmt: skip


async def test_a_long_result_is_cut_for_the_model(scene: Scene) -> None:
    scene.settings = AgentSettings(max_observation_chars=100)
    scene.endpoint.replies = [calls(("getOrder", {"id": 7, "X-Trace": "x"})), says("Done.")]
    scene.bench.add(
        provider("orders", kind="openapi", document=DOCUMENT, server_url=f"{scene.api.url}/{'x' * 200}")
    )
    await scene.run()
    content = scene.endpoint.last["messages"][-1]["content"]
    assert content.endswith("characters in all]")
    assert len(content) < 160


async def test_the_conversation_comes_before_the_question(scene: Scene) -> None:
    scene.endpoint.replies = [says("Bern.")]
    turns = [{"query": f"q{i}", "answer": f"a{i}"} for i in range(3)]
    memory = {"window": {"enabled": True, "size": 2}, "query_prompt_template": ""}
    await scene.run(pool={HISTORY: {TURNS: turns}}, memory=memory)
    assert [message["content"] for message in scene.endpoint.last["messages"]] == [
        "Be brief.", "q1", "a1", "q2", "a2", "where is order 7?",
    ]  # fmt: skip


async def test_reasoning_and_acting_with_any_model(scene: Scene) -> None:
    scene.endpoint.replies = [
        acts("getOrder", {"id": 7}, "I must look."),
        acts("getOrder", {"id": "x"}),
        acts("Final Answer", "On its way."),
    ]
    outcome = await scene.run("ReAct")
    assert outcome.status == "succeeded", outcome.error
    assert outcome.outputs["text"] == "On its way."
    first, second, third = (asked.body for asked in scene.endpoint.asked)
    assert "tools" not in first
    assert first["stop"] == ["Observation:"]
    assert first["messages"][0]["content"].startswith("Be brief.\n")
    assert '"name": "getOrder"' in first["messages"][0]["content"]
    assert second["messages"][-1] == {
        "role": "user", "content": 'Observation: {"path": "/orders/7", "told": null}',
    }  # fmt: skip
    assert third["messages"][-1]["content"].startswith("Observation: the tool failed: parameter 'id'")
    labels = [(step["label"], step["status"]) for step in outcome.outputs["json"][:-1]]
    assert labels[:3] == [("ROUND 1", "success"), ("gpt-x Thought", "success"), ("CALL getOrder", "success")]
    assert labels[5] == ("CALL getOrder", "error")
    assert outcome.outputs["json"][0]["data"]["thought"] == "I must look."


async def test_reasoning_comes_to_an_end(scene: Scene) -> None:
    scene.endpoint.replies = [acts("getOrder", {"id": 7})]
    outcome = await scene.run("ReAct", maximum_iterations=2)
    assert outcome.error_type == "AgentMaxIterationError"
    assert "last step" in scene.endpoint.last["messages"][-1]["content"]
    assert len(scene.api.received) == 1


@pytest.mark.parametrize(
    ("parameters", "error_type", "said"),
    [
        ({"tools": [tool(provider_name="langgenius/google/google")]}, "NotConfigured",
         "'langgenius/google/google' is not configured"),
        ({"tools": [tool("nope")]}, "ToolRuntimeResolutionError", "'orders' has no tool 'nope'"),
        ({"tools": [tool(provider_name="forecast", type="workflow")]}, "ToolRuntimeResolutionError",
         "tool provider 'forecast' is a workflow, which only a tool node can call"),
        ({"model": {"provider": "openai"}}, "AgentParameterError", "the agent has no model"),
        ({"query": " "}, "AgentParameterError", "its query is empty"),
        ({"maximum_iterations": "many"}, "AgentParameterError", "maximum_iterations is 'many'"),
    ],
)  # fmt: skip
async def test_what_is_missing_is_named(scene: Scene, parameters: Any, error_type: str, said: str) -> None:
    scene.bench.add(provider("forecast", kind="workflow", workflow_id="w"))
    outcome = await scene.run(**parameters)
    assert (outcome.status, outcome.error_type) == ("failed", error_type)
    assert outcome.error is not None
    assert said in outcome.error
    assert scene.endpoint.asked == []


async def test_a_strategy_of_another_plugin_is_named(scene: Scene) -> None:
    outcome = await scene.run("chain")
    assert outcome.error_type == "AgentStrategyNotFoundError"
    assert outcome.error is not None
    assert "'langgenius/agent/agent/chain' is not known" in outcome.error


async def test_a_model_that_fails_fails_the_node_with_what_was_done(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("getOrder", {"id": 7})), Reply({"error": {"message": "no"}}, status=400)]
    outcome = await scene.run()
    assert (outcome.status, outcome.error_type) == ("failed", "InvokeBadRequestError")
    assert outcome.execution_metadata["total_tokens"] == 1200
    assert [step["label"] for step in outcome.execution_metadata["agent_log"]][:3] == [
        "ROUND 1", "gpt-x Thought", "CALL getOrder",
    ]  # fmt: skip


async def test_an_agent_may_bring_mcp_servers_along(scene: Scene) -> None:
    scene.endpoint.replies = [calls(("add", {"a": 2})), says("3.")]
    async with serving(Front(new_server([]).streamable_http_app(), era="modern")) as address:
        url = f"http://{address}/mcp?k={{{{#sys.query#}}}}"
        servers = json.dumps({"sums": {"transport": "streamable_http", "url": url}})
        given = {"mcp_servers_config": servers, "tools": [tool()], "query": "2 + 1?"}
        outcome = await scene.run("mcp_sse_function_calling", {"sys": {"query": "q"}}, **given)
    assert outcome.status == "succeeded", outcome.error
    names = [one["function"]["name"] for one in scene.endpoint.asked[0].body["tools"]]
    assert names[:2] == ["getOrder", "add"]
    assert scene.endpoint.last["messages"][-1]["content"] == "3"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{broken", "mcp_servers_config is no JSON"),
        ([1], "must be an object of servers by name"),
        ({"mcpServers": {"a": {}}}, "server 'a' of mcp_servers_config has no url"),
        ({"a": {"url": "http://x", "transport": "stdio"}}, "transport is sse or streamable_http"),
        ({"a": {"url": "ftp://x"}}, "should match pattern"),
    ],
)
async def test_a_server_that_cannot_be_one_is_named(scene: Scene, config: Any, said: str) -> None:
    outcome = await scene.run("mcp_sse_function_calling", mcp_servers_config=config)
    assert outcome.error_type == "AgentParameterError"
    assert outcome.error is not None
    assert said in outcome.error


async def test_agents_run_at_the_same_time(scene: Scene) -> None:
    scene.endpoint.replies = [says("Done.")]
    outcomes = await asyncio.gather(*(scene.run() for _ in range(10)))
    assert {outcome.outputs["text"] for outcome in outcomes} == {"Done."}
