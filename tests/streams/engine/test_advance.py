"""Whole runs, in memory: the records that come of a command, and the states in between."""

import orjson
import pytest

from schemas.errors import InvalidDefinition
from schemas.ids import node_execution_id
from schemas.models import WorkflowType
from streams.engine.advance import advance, due_us
from streams.engine.commands import Cancel, NodeResult, Timer
from streams.engine.effects import LogChanged, NodeExecuted, RunChanged, TaskScheduled
from streams.engine.options import Options
from streams.engine.state import encode
from tests.graphs import (
    Json,
    answer,
    case,
    code,
    condition,
    end,
    field,
    graph,
    if_else,
    node,
    start,
    template,
)
from tests.streams.engine.harness import LOG, NOW, Run, compiled, start_command

REVIEW = graph(
    [
        start(field("amount", "number", required=True)),
        if_else("check", case("high", condition(["start", "amount"], ">", "100"))),
        template("review", "{{ amount }} goes to review", amount=["start", "amount"]),
        template("approve", "{{ amount }} is approved", amount=["start", "amount"]),
        end(amount=["start", "amount"], review=["review", "output"], approve=["approve", "output"]),
    ],
    ("start", "check"), ("check", "review", "high"), ("check", "approve", "false"),
    ("review", "end"), ("approve", "end"),
)  # fmt: skip

FORK = graph(
    [start(), code("a"), code("b"), template("t", "T"), end(a=["a", "result"], b=["b", "result"])],
    ("start", "a"), ("start", "b"), ("start", "t"), ("a", "end"), ("b", "end"), ("t", "end"),
)  # fmt: skip


def test_a_run_that_ends_in_its_first_hop() -> None:
    run = Run(REVIEW).start({"amount": 120, "other": 1}, trigger_log=LOG)
    assert [type(effect) for effect in run.effects] == [NodeExecuted] * 4 + [RunChanged, LogChanged]
    assert [(r["node_id"], r["index"], r["predecessor_node_id"]) for r in run.records(NodeExecuted)] == [
        ("start", 1, None), ("check", 2, "start"), ("review", 3, "check"), ("end", 4, "review"),
    ]  # fmt: skip
    assert {r["status"] for r in run.records(NodeExecuted)} == {"succeeded"}
    outputs = {"amount": 120, "review": "120 goes to review", "approve": None}
    assert orjson.loads(run.run["outputs"]) == outputs
    assert run.run | {"outputs": None, "graph_hash": "", "inputs": ""} == {
        "id": "run", "revision": 1, "tenant_id": "tenant", "app_id": "app", "workflow_id": "workflow",
        "type": "workflow", "triggered_from": "app-run", "version": "v1", "graph_hash": "", "inputs": "",
        "status": "SUCCEEDED", "outputs": None, "error": None, "elapsed_time": 0.0, "total_tokens": 0,
        "total_steps": 4, "exceptions_count": 0, "created_by_role": "account", "created_by": "ada",
        "created_at": NOW, "event_at": NOW - 2_000_000, "finished_at": NOW, "trigger_log_id": "log",
        "traceparent": "00-log--01", "graph": None,
    }  # fmt: skip
    assert orjson.loads(run.run["inputs"]) == {"amount": 120, "other": 1}
    (log,) = run.records(LogChanged)
    assert (log["status"], log["revision"], log["elapsed_time"]) == ("SUCCESS", 2, 2.0)
    assert (log["triggered_at"], log["finished_at"]) == (NOW, NOW)
    assert orjson.loads(log["outputs"]) == outputs


def test_the_record_of_a_node() -> None:
    record = Run(REVIEW).start({"amount": 7}).node("approve")
    assert record == {
        "id": node_execution_id("run", "approve"), "revision": 1, "tenant_id": "tenant", "app_id": "app",
        "workflow_id": "workflow", "triggered_from": "workflow-run", "workflow_run_id": "run", "index": 3,
        "predecessor_node_id": "check", "node_execution_id": node_execution_id("run", "approve"),
        "node_id": "approve", "node_type": "template-transform", "title": "APPROVE",
        "inputs": '{"amount":7}', "process_data": None, "outputs": '{"output":"7 is approved"}',
        "status": "succeeded", "error": None, "elapsed_time": 0.0, "execution_metadata": None,
        "created_by_role": "end_user", "created_by": None, "created_at": NOW, "event_at": NOW,
        "finished_at": NOW, "traceparent": "00-run--01",
    }  # fmt: skip


def test_the_nodes_of_a_rag_pipeline_say_so() -> None:
    run = Run(compiled(FORK, WorkflowType.RAG_PIPELINE)).start()
    run.cancel()
    assert run.run["type"] == "rag-pipeline"
    assert {record["triggered_from"] for record in run.records(NodeExecuted)} == {"rag-pipeline-run"}


def test_branches_run_side_by_side_and_join_once() -> None:
    run = Run(FORK).start({}, trigger_log=LOG)
    assert [r["node_id"] for r in run.records(TaskScheduled)] == ["a", "b"]
    assert {e.queue for e in run.effects if isinstance(e, TaskScheduled)} == {"high_priority"}
    assert run.run["status"] == run.records(LogChanged)[-1]["status"] == "RUNNING"
    assert run.run["finished_at"] is run.records(LogChanged)[-1]["finished_at"] is None
    before = len(run.effects)
    run.answer("b", result="B")
    assert [type(e) for e in run.effects[before:]] == [NodeExecuted]
    run.answer("a", result="A")
    assert run.nodes == ["start", "a", "b", "t", "end"]
    assert run.node("end")["predecessor_node_id"] == "a"
    assert (run.run["status"], run.run["revision"], run.run["elapsed_time"]) == ("SUCCEEDED", 2, 2.0)
    assert orjson.loads(run.run["outputs"]) == {"a": "A", "b": "B"}
    logs = [(log["status"], log["revision"]) for log in run.records(LogChanged)]
    assert logs == [("RUNNING", 2), ("SUCCESS", 3)]


def test_the_two_records_of_a_task_and_the_task_itself() -> None:
    run = Run(graph([start(field("x")), code("c", x=["start", "x"])], ("start", "c"))).start({"x": "1"})
    task, running = run.task("c"), run.node("c")
    result = NodeResult(
        "r", task["node_execution_id"], "succeeded", {"result": "R"}, {"stdout": "s"},
        started_at=NOW + 400_000, finished_at=NOW + 900_000, execution_metadata={"total_tokens": 3},
    )  # fmt: skip
    run.tell(result)
    done = run.node("c")
    assert (running["revision"], running["status"], running["finished_at"]) == (1, "running", None)
    assert (running["inputs"], running["outputs"]) == ('{"x":"1"}', None)
    assert (done["revision"], done["status"], done["finished_at"]) == (2, "succeeded", NOW + 900_000)
    assert (done["outputs"], done["process_data"]) == ('{"result":"R"}', '{"stdout":"s"}')
    assert (done["elapsed_time"], done["execution_metadata"]) == (0.5, '{"total_tokens":3}')
    assert {k: done[k] for k in ("id", "index", "inputs", "created_at")} == {
        k: running[k] for k in ("id", "index", "inputs", "created_at")
    }
    assert (task["attempt"], task["node_type"], task["inputs"]) == (1, "code", '{"x":"1"}')
    assert (task["issued_at"], task["deadline_at"]) == (NOW, NOW + 1_200_000_000)


def test_a_clock_that_runs_behind_makes_no_time_negative() -> None:
    run = Run(FORK).start()
    execution = run.task("a")["node_execution_id"]
    run.tell(NodeResult("r", execution, "succeeded", started_at=NOW - 500, finished_at=NOW - 100))
    assert (run.node("a")["elapsed_time"], run.node("a")["finished_at"]) == (0.0005, NOW)


def test_pure_nodes_are_timed_where_a_clock_is_given() -> None:
    times = iter(range(NOW, NOW + 1000, 10))
    run = Run(REVIEW, Options(clock=lambda: next(times))).start({"amount": 1})
    assert [r["elapsed_time"] for r in run.records(NodeExecuted)] == [1e-05] * 4
    assert run.run["elapsed_time"] == 8e-05


def test_a_violation_of_the_form_fails_the_run() -> None:
    run = Run(REVIEW).start({"amount": "much"}, trigger_log=LOG)
    why = "amount in input form must be a valid number"
    assert (run.node("start")["status"], run.node("start")["error"]) == ("failed", why)
    assert run.node("start")["inputs"] == '{"amount":"much"}'
    assert (run.run["status"], run.run["error"]) == ("FAILED", f"node 'START' (start): {why}")
    assert run.records(LogChanged)[-1]["status"] == "FAILED"
    assert run.records(LogChanged)[-1]["error"] == run.run["error"]


def test_a_failed_task_fails_the_run_and_stops_the_others() -> None:
    run = Run(FORK).start()
    run.refuse("a", "no such host")
    assert (run.node("a")["status"], run.node("a")["error"]) == ("failed", "no such host")
    assert run.run["error"] == "node 'A' (a): no such host"
    assert (run.node("b")["status"], run.node("b")["revision"]) == ("stopped", 2)
    assert run.node("b")["elapsed_time"] == 1.0
    assert "end" not in run.nodes
    late = run.answer("b", result="late")
    assert late.effects == ()
    assert late.state == run.state


def test_a_failure_in_the_hop_that_scheduled_a_task_takes_the_task_back() -> None:
    broken = graph([start(), code("a"), template("t", "{{ 1 / 0 }}")], ("start", "a"), ("start", "t"))
    run = Run(broken).start()
    assert run.records(TaskScheduled) == []
    assert run.node("a")["status"] == "stopped"
    assert run.run["status"] == "FAILED"


def test_text_that_is_not_unicode_fails_its_node() -> None:
    run = Run(graph([start(), template("t", "{{ '\\ud800' }}")], ("start", "t"))).start()
    assert run.node("t")["status"] == "failed"
    assert "surrogates" in run.run["error"]


def test_values_may_be_nested_deep() -> None:
    deep: Json = {}
    for _ in range(200):
        deep = {"d": deep}
    wrap = graph(
        [start(field("x", "json_object")), template("t", "{{ x }}", x=["start", "x"]), end(x=["start", "x"])],
        ("start", "t"), ("t", "end"),
    )  # fmt: skip
    assert Run(wrap).start({"x": deep}).run["status"] == "SUCCEEDED"


def test_cancel_stops_a_run() -> None:
    run = Run(FORK).start({}, trigger_log=LOG)
    run.answer("a", result="A")
    run.cancel("no longer wanted")
    assert (run.run["status"], run.run["error"]) == ("STOPPED", "no longer wanted")
    assert (run.node("b")["status"], run.node("a")["status"]) == ("stopped", "succeeded")
    assert run.records(LogChanged)[-1]["status"] == "STOPPED"
    assert run.cancel().effects == ()


def test_what_was_applied_or_comes_late_changes_nothing() -> None:
    definition = compiled(FORK)
    begun = advance(definition, None, start_command({}), NOW).state
    assert begun is not None
    result = NodeResult("r", node_execution_id("run", "a"), "succeeded", {"result": "A"})
    once = advance(definition, begun, result, NOW).state
    for command in (
        start_command({}),
        result,
        NodeResult("r", node_execution_id("run", "b", attempt=2), "succeeded"),
        NodeResult("r", "unknown", "failed"),
        Timer("t"),
    ):
        again = advance(definition, once, command, NOW)
        assert again.state is once
        assert again.effects == ()
    assert advance(definition, None, result, NOW) == (None, ())
    assert advance(definition, None, Cancel("c"), NOW) == (None, ())


def test_a_replayed_command_gives_the_same_ids_and_the_state_it_is_given_stays_as_it_is() -> None:
    definition = compiled(FORK)
    first, second = (advance(definition, None, start_command({}, trigger_log=LOG), NOW + i) for i in (0, 5))
    keys = ("id", "node_execution_id", "index", "revision", "status")
    assert [{k: e.record.get(k) for k in keys} for e in first.effects] == [
        {k: e.record.get(k) for k in keys} for e in second.effects
    ]
    assert first.state is not None
    before = first.state.copy()
    advance(definition, first.state, NodeResult("r", node_execution_id("run", "a"), "succeeded"), NOW)
    assert first.state == before


def test_limits() -> None:
    chain = graph(
        [start(), *(template(f"t{i}", "") for i in range(10))],
        ("start", "t0"), *((f"t{i}", f"t{i + 1}") for i in range(9)),
    )  # fmt: skip
    assert Run(chain, Options(max_steps=11)).start().run["status"] == "SUCCEEDED"
    short = Run(chain, Options(max_steps=10)).start()
    assert (short.run["error"], short.run["total_steps"]) == ("maximum execution steps exceeded: 10", 10)

    late = Run(FORK, Options(max_run_s=3)).start()
    late.now_us = NOW + 3_000_001
    late.answer("a")
    assert late.node("a")["status"] == "succeeded"
    assert late.run == late.records(RunChanged)[0]
    late.answer("b")
    assert (late.run["status"], late.run["error"]) == ("FAILED", "maximum execution time exceeded: 3 s")


def test_a_start_that_is_issued_again_begins_the_same_run() -> None:
    """The router has died before it could commit: all that it tells again must be what it told before."""
    told, again = (Run(FORK).start(trigger_log=LOG) for _ in range(2))
    late = Run(FORK)
    late.tell(start_command({}, trigger_log=LOG)._replace(issued_at=NOW + 9_000_000))
    assert told.nodes == again.nodes == late.nodes
    assert [told.node("start")["outputs"]] * 2 == [run.node("start")["outputs"] for run in (again, late)]


def test_a_timer_ends_a_run_whose_time_is_up() -> None:
    run = Run(FORK, Options(max_run_s=3)).start()
    assert run.state is not None
    due = due_us(run.state, run.options)
    assert due == NOW + 3_000_000
    assert run.tell(Timer("t")).effects == ()
    run.now_us = due
    run.tell(Timer("t"))
    assert (run.run["status"], run.node("a")["status"]) == ("FAILED", "stopped")
    assert due_us(run.state, run.options) is None


def test_a_run_whose_graph_is_gone_fails() -> None:
    run = Run(FORK).start()
    run.definition = compiled(REVIEW)
    run.answer("a")
    assert run.run["status"] == "FAILED"
    assert "was changed while the run waited" in run.run["error"]
    assert run.node("b")["status"] == "stopped"


def test_nodes_that_are_not_reached_do_not_run_and_do_not_hold_up_a_join() -> None:
    run = Run(graph([start(), template("lost", ""), end()], ("start", "end"), ("lost", "end"))).start()
    assert run.nodes == ["start", "end"]
    assert run.run["status"] == "SUCCEEDED"


def test_several_ends_are_merged_and_answers_joined() -> None:
    first, second = end("e1", a=["t", "output"], b=["t", "output"]), end("e2", b=["sys", "files"])
    ends = graph([start(), template("t", "T"), first, second], ("start", "e2"), ("start", "t"), ("t", "e1"))
    assert orjson.loads(Run(ends).start().run["outputs"]) == {"a": "T", "b": "T"}
    answers = graph(
        [start(), answer("one", "1 {{#sys.query#}}"), answer("two", "2")], ("start", "one"), ("one", "two")
    )
    run = Run(compiled(answers, WorkflowType.CHAT)).start({}, system={"query": "q"})
    assert orjson.loads(run.run["outputs"]) == {"answer": "1 q2", "files": []}


def test_variables_of_the_system_the_environment_and_the_conversation() -> None:
    names = ("user_id", "app_id", "workflow_id", "workflow_run_id", "timestamp", "query", "files",
             "conversation_id", "dialogue_count")  # fmt: skip
    outputs = {name: ["sys", name] for name in names} | {"env": ["env", "E"], "talk": ["conversation", "C"]}
    definition = compiled(
        graph([start(), code("c"), end(**outputs)], ("start", "c"), ("c", "end")),
        WorkflowType.CHAT,
        environment_variables=[{"name": "E", "value": 5, "value_type": "number"}],
        conversation_variables=[{"name": "C", "value": ["x"]}],
    )
    run = Run(definition).start({}, system={"user_id": "ada", "query": "hi", "app_id": "forged"})
    assert run.state is not None
    assert b'"E"' not in encode(run.state).head
    run.answer("c")
    assert orjson.loads(run.run["outputs"]) == {
        "user_id": "ada", "app_id": "app", "workflow_id": "workflow", "workflow_run_id": "run",
        "timestamp": NOW // 1_000_000, "query": "hi", "files": [], "conversation_id": "", "dialogue_count": 1,
        "env": 5, "talk": ["x"],
    }  # fmt: skip


def test_a_graph_with_problems_is_not_compiled() -> None:
    with pytest.raises(InvalidDefinition, match="no start node"):
        compiled(graph([end()]))


HTTP: Json = node("h", "http-request", method="post", url="http://x/{{#start.x#}}")


def test_a_request_that_cannot_be_described_fails_its_node() -> None:
    broken = {**HTTP, "data": {**HTTP["data"], "url": "{{#start.x#}}"}}
    run = Run(graph([start(field("x")), broken], ("start", "h"))).start({"x": "x"})
    assert run.node("h")["status"] == "failed"
    assert run.records(TaskScheduled) == []


def test_a_request_is_described_whole() -> None:
    run = Run(graph([start(field("x")), HTTP], ("start", "h"))).start({"x": "1"})
    assert orjson.loads(run.task("h")["config"])["url"] == "http://x/1"
