"""Runs that wait for a person: when they are paused, what ends a pause, what does not."""

from typing import Any

import orjson
import pytest

from streams.engine.advance import Advanced, due_us
from streams.engine.commands import Resume, Timer
from streams.engine.effects import LogChanged, NodeExecuted
from streams.engine.options import Options
from tests.graphs import Json, code, end, graph, node, start, template
from tests.streams.engine.harness import LOG, NOW, Run

HOUR_US = 3_600_000_000
FIELDS = [
    {"output_variable_name": "comment", "type": "paragraph"},
    {"output_variable_name": "grade", "type": "select", "option_source": {"value": ["a", "b"]}},
]
GIVEN = {"comment": "fine", "grade": "b"}


def ask(node_id: str = "ask", **more: Any) -> Json:
    actions = [{"id": "yes", "title": "Approve"}, {"id": "no", "title": "Reject"}]
    data = {"form_content": "Who is {{#start.who#}}? {{#$output.comment#}}", "inputs": FIELDS}
    return node(node_id, "human-input", **{**data, "user_actions": actions, "timeout": 2, **more})


WHO = start({"variable": "who", "label": "who", "type": "text-input"})
ENDS = [
    end("good", comment=["ask", "comment"], by=["ask", "__action_value"], text=["ask", "__rendered_content"]),
    end("bad", comment=["ask", "comment"]),
    end("late", action=["ask", "__action_id"], text=["ask", "__rendered_content"]),
]
SIMPLE = graph(
    [WHO, ask(), *ENDS],
    ("start", "ask"),
    ("ask", "good", "yes"),
    ("ask", "bad", "no"),
    ("ask", "late", "__timeout"),
)


def answer(run: Run, inputs: Json | None = None, action: str | None = "yes", **more: Any) -> Advanced:
    command = {"interaction_id": "i", "inputs": GIVEN if inputs is None else inputs, "action": action}
    return run.tell(Resume("c", **{**command, **more}))


def pause_of(run: Run, node_id: str = "ask") -> Json:
    pause: Json = orjson.loads(run.node(node_id)["execution_metadata"])["pause"]
    return pause


def outputs(run: Run) -> Json:
    found: Json = orjson.loads(run.run["outputs"])
    return found


def test_the_run_is_paused_and_says_what_it_asks() -> None:
    run = Run(SIMPLE).start({"who": "Ada"}, trigger_log=LOG)
    assert (run.run["status"], run.run["finished_at"]) == ("PAUSED", None)
    assert run.records(LogChanged)[-1]["status"] == "RUNNING"
    record = run.node("ask")
    assert (record["status"], record["finished_at"]) == ("paused", None)
    assert pause_of(run) == {
        "id": record["id"],
        "pause_expires_at": (NOW + 2 * HOUR_US) // 1_000_000,
        "pause_metadata": {
            "type": "human_input_required",
            "node_id": "ask",
            "node_title": "ASK",
            "message": "Who is Ada? {{#$output.comment#}}",
            "timeout_seconds": 7200,
            "inputs_schema": {
                "comment": {"type": "paragraph", "required": True},
                "grade": {"type": "select", "required": True, "options": ["a", "b"]},
            },
            "actions": [
                {"id": "yes", "title": "Approve", "button_style": "default"},
                {"id": "no", "title": "Reject", "button_style": "default"},
            ],
        },
    }


def test_an_answer_lets_it_go_on_by_the_action() -> None:
    run = Run(SIMPLE).start({"who": "Ada"})
    answer(run, by="bob")
    assert run.nodes == ["start", "ask", "good"]
    assert run.run["status"] == "SUCCEEDED"
    assert outputs(run) == {"comment": "fine", "by": "Approve", "text": "Who is Ada? fine"}
    record = run.node("ask")
    assert (record["status"], record["revision"], record["elapsed_time"]) == ("succeeded", 2, 1.0)
    assert orjson.loads(record["inputs"]) == GIVEN
    assert orjson.loads(record["outputs"])["__action_id"] == "yes"
    assert pause_of(run)["answered_by"] == "bob"


def test_without_an_answer_it_goes_on_by_the_timeout() -> None:
    run = Run(SIMPLE).start({"who": "Ada"})
    assert run.state is not None
    assert due_us(run.state) == NOW + 2 * HOUR_US
    run.tell(Timer("t"))
    assert run.run["status"] == "PAUSED"
    run.now_us = NOW + 2 * HOUR_US
    run.tell(Timer("t"))
    assert run.nodes == ["start", "ask", "late"]
    assert outputs(run) == {"action": "", "text": "Who is Ada? {{#$output.comment#}}"}


@pytest.mark.parametrize(
    ("inputs", "action", "more"),
    [
        ({"comment": "x"}, "yes", {}),
        ({**GIVEN, "grade": "c"}, "yes", {}),
        ({**GIVEN, "extra": 1}, "yes", {}),
        (GIVEN, None, {}),
        (GIVEN, "perhaps", {}),
        (GIVEN, "yes", {"node_id": "start"}),
        (GIVEN, "yes", {"node_execution_id": "another"}),
    ],
)
def test_what_is_no_answer_changes_nothing(inputs: Json, action: str | None, more: Json) -> None:
    run = Run(SIMPLE).start({"who": "Ada"})
    assert not answer(run, inputs, action, **more).effects
    assert run.run["status"] == "PAUSED"
    answer(run)
    assert run.run["status"] == "SUCCEEDED"


def test_a_default_need_not_be_sent_and_the_only_action_not_named() -> None:
    field = {"output_variable_name": "comment", "default": {"type": "variable", "selector": ["start", "who"]}}
    asking = ask(inputs=[field], user_actions=[{"id": "yes", "title": "OK"}], timeout_unit="day")
    run = Run(graph([WHO, asking, ENDS[0]], ("start", "ask"), ("ask", "good", "yes"))).start({"who": "Ada"})
    metadata = pause_of(run)["pause_metadata"]
    assert metadata["inputs_schema"]["comment"] == {"type": "paragraph", "required": False, "default": "Ada"}
    assert metadata["timeout_seconds"] == 2 * 86_400
    answer(run, {}, None)
    assert outputs(run)["comment"] == "Ada"


def test_options_may_be_those_of_a_variable() -> None:
    source = {"type": "variable", "selector": ["start", "who"]}
    asking = ask(inputs=[{"output_variable_name": "x", "type": "select", "option_source": source}])
    run = Run(graph([WHO, asking], ("start", "ask"))).start({"who": "Ada"})
    assert run.run["status"] == "FAILED"
    assert "the options of x must be a list" in run.run["error"]


PARALLEL = graph(
    [WHO, ask(), code("work"), template("after", "{{ x }}", x=["ask", "comment"])],
    ("start", "ask"),
    ("start", "work"),
    ("ask", "after", "yes"),
)


def test_it_is_paused_only_while_nothing_else_goes_on() -> None:
    run = Run(PARALLEL).start({"who": "Ada"})
    assert run.run["status"] == "RUNNING"
    run.answer("work", result="x")
    assert run.run["status"] == "PAUSED"
    answer(run)
    assert run.run["status"] == "SUCCEEDED"


def test_an_answer_while_it_runs_pauses_nothing() -> None:
    run = Run(PARALLEL).start({"who": "Ada"})
    answer(run)
    assert run.run["status"] == "RUNNING"
    run.answer("work", result="x")
    assert run.run["status"] == "SUCCEEDED"


def test_time_that_it_is_paused_is_not_time_of_the_run() -> None:
    options = Options(max_run_s=60)
    asked = graph([WHO, ask(), code("work")], ("start", "ask"), ("ask", "work", "yes"))
    run = Run(asked, options).start({"who": "Ada"})
    run.now_us = NOW + HOUR_US
    answer(run)
    assert run.run["status"] == "RUNNING"
    assert run.state is not None
    assert due_us(run.state, options) == NOW + HOUR_US + 60_000_000
    assert run.task("work")["deadline_at"] == NOW + HOUR_US + 60_000_000
    run.now_us = NOW + HOUR_US + 60_000_000
    run.tell(Timer("t"))
    assert run.run["status"] == "FAILED"


TWICE = graph(
    [WHO, ask(), ask("again"), end("done", x=["again", "comment"])],
    ("start", "ask"),
    ("ask", "again", "yes"),
    ("again", "done", "no"),
)


def test_the_same_answer_twice_is_one_answer() -> None:
    run = Run(TWICE).start({"who": "Ada"})
    answer(run, interaction_id="first")
    assert run.run["status"] == "PAUSED"
    assert not answer(run, interaction_id="first").effects
    answer(run, action="no", interaction_id="second")
    assert run.run["status"] == "SUCCEEDED"


BOTH = graph([WHO, ask(), ask("other")], ("start", "ask"), ("start", "other"))


def test_of_several_pauses_one_is_named() -> None:
    run = Run(BOTH).start({"who": "Ada"})
    assert not answer(run).effects
    answer(run, node_id="other", interaction_id="1")
    assert (run.node("other")["status"], run.node("ask")["status"]) == ("succeeded", "paused")
    assert run.run["status"] == "PAUSED"
    answer(run, node_execution_id=run.node("ask")["id"], interaction_id="2")
    assert run.run["status"] == "SUCCEEDED"


def test_a_paused_run_can_be_stopped() -> None:
    run = Run(SIMPLE).start({"who": "Ada"})
    run.cancel()
    assert (run.run["status"], run.node("ask")["status"]) == ("STOPPED", "stopped")
    assert not answer(run).effects


def test_a_round_of_an_iteration_may_ask() -> None:
    inner = [
        {**node("begin", "iteration-start"), "parentId": "each"},
        {**ask(form_content="{{#each.item#}}"), "parentId": "each"},
    ]
    each = node(
        "each",
        "iteration",
        start_node_id="begin",
        iterator_selector=["make", "result"],
        output_selector=["ask", "comment"],
        is_parallel=True,
        parallel_nums=2,
    )
    asked = graph(
        [WHO, code("make"), each, *inner, end(out=["each", "output"])],
        ("start", "make"),
        ("make", "each"),
        ("begin", "ask"),
        ("each", "end"),
    )
    run = Run(asked).start({"who": "Ada"})
    run.answer("make", result=["p", "q"])
    assert run.run["status"] == "PAUSED"
    asking = {r["id"] for r in run.records(NodeExecuted) if r["status"] == "paused"}
    assert len(asking) == 2
    for count, execution_id in enumerate(sorted(asking)):
        answer(
            run, {**GIVEN, "comment": execution_id}, node_execution_id=execution_id, interaction_id=str(count)
        )
    assert run.run["status"] == "SUCCEEDED"
    assert set(outputs(run)["out"]) == asking


def test_a_form_that_nobody_could_read_is_not_asked() -> None:
    run = Run(SIMPLE).start({"who": "x" * 600_000})
    assert run.run["status"] == "FAILED"
    assert "the form has 600" in run.run["error"]
    assert "at most 524288 can be asked" in run.run["error"]
