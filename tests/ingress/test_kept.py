"""What a run that resumes a failed one keeps of it: scenarios, and any graph at all."""

from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingress.errors import Conflict, Unavailable
from ingress.kept import kept_nodes
from streams.engine.commands import Resume, Timer
from streams.engine.effects import NodeExecuted, TaskScheduled
from streams.engine.options import Options
from tests.graphs import (
    Json,
    case,
    code,
    condition,
    end,
    field,
    graph,
    if_else,
    iteration,
    loop,
    loop_variable,
    node,
    start,
    template,
)
from tests.ingress.resuming import executions, failed_run, origin, resumed, version
from tests.streams.engine.harness import NOW, Run
from tests.streams.engine.programs import SEEDS
from tests.streams.engine.test_properties import Plan, drive, plans, result_of

CHAIN = graph(
    [start(field("q")), code("a", x=["start", "q"]), code("b", x=["a", "result"]),
     end(out=["b", "result"], first=["a", "result"])],
    ("start", "a"), ("a", "b"), ("b", "end"),
)  # fmt: skip


def outputs(run: Run) -> Any:
    return orjson.loads(run.run["outputs"])


def refused(run: Run, changed: Json) -> list[tuple[str, str]]:
    """Node and reason of each row of the problem document."""
    with pytest.raises(Conflict) as problem:
        resumed(run, changed)
    return [(row["node"], row["why"]) for row in problem.value.extensions["errors"]]


def failed_chain() -> Run:
    run = Run(CHAIN).start({"q": "hm"})
    run.answer("a", result="of a")
    run.refuse("b")
    return run


def test_a_chain_goes_on_at_the_node_that_failed() -> None:
    failed = failed_chain()
    run = resumed(failed, CHAIN, {"q": "hm"})
    assert [task["node_id"] for task in run.records(TaskScheduled)] == ["b"]
    assert orjson.loads(run.task("b")["inputs"]) == {"x": "of a"}
    run.answer("b", result="of b")
    assert (run.run["status"], outputs(run)) == ("SUCCEEDED", {"out": "of b", "first": "of a"})
    kept = run.node("a")
    assert (kept["status"], kept["workflow_run_id"]) == ("succeeded", "new-run")
    assert kept["id"] != failed.node("a")["id"]
    assert origin(kept) == {
        "workflow_run_id": "run",
        "node_execution_id": failed.node("a")["id"],
        "edge_source_handle": None,
    }
    assert kept["inputs"] == failed.node("a")["inputs"]
    assert (kept["elapsed_time"], kept["finished_at"]) == (0.0, kept["created_at"])
    assert origin(run.node("b")) is None
    assert [record["index"] for record in run.records(NodeExecuted)] == [1, 2, 3, 3, 4]


def test_a_run_that_was_resumed_can_be_resumed() -> None:
    second = resumed(failed_chain(), CHAIN)
    second.refuse("b")
    third = resumed(second, CHAIN, run_id="third-run")
    third.answer("b", result="at last")
    assert outputs(third) == {"out": "at last", "first": "of a"}
    assert origin(third.node("a"))["workflow_run_id"] == "run"


def test_tokens_are_not_counted_twice() -> None:
    run = Run(CHAIN).start()
    run.succeed(run.task("a"), {"total_tokens": 7}, result="of a")
    run.refuse("b")
    again = resumed(run, CHAIN)
    again.answer("b", result="of b")
    assert (run.run["total_tokens"], again.run["total_tokens"]) == (7, 0)


def test_parallel_branches_keep_what_they_had() -> None:
    flow = graph(
        [start(), code("left"), code("right"), code("slow"),
         end(left=["left", "result"], right=["right", "result"], slow=["slow", "result"])],
        ("start", "left"), ("start", "right"), ("start", "slow"),
        ("left", "end"), ("right", "end"), ("slow", "end"),
    )  # fmt: skip
    run = Run(flow).start()
    run.answer("left", result="l")
    run.refuse("right")
    assert run.node("slow")["status"] == "stopped"
    again = resumed(run, flow)
    assert [task["node_id"] for task in again.records(TaskScheduled)] == ["right", "slow"]
    again.answer("slow", result="s")
    again.answer("right", result="r")
    assert outputs(again) == {"left": "l", "right": "r", "slow": "s"}


BRANCHES = graph(
    [start(field("q")), if_else("which", case("yes", condition(["start", "q"], "is", "x"))),
     code("taken"), code("other"), end()],
    ("start", "which"), ("which", "taken", "yes"), ("which", "other", "false"),
    ("taken", "end"), ("other", "end"),
)  # fmt: skip


@pytest.mark.parametrize(("given", "ran", "not_taken"), [("x", "taken", "other"), ("y", "other", "taken")])
def test_a_branch_that_was_not_taken_is_not_taken(given: str, ran: str, not_taken: str) -> None:
    run = Run(BRANCHES).start({"q": given})
    run.refuse(ran)
    again = resumed(run, BRANCHES)
    again.answer(ran, result="fine")
    assert again.run["status"] == "SUCCEEDED"
    assert origin(again.node("which")) is not None
    assert not_taken not in again.nodes


def test_a_branch_that_is_gone_is_refused() -> None:
    run = Run(BRANCHES).start({"q": "x"})
    run.refuse("taken")
    changed = orjson.loads(orjson.dumps(BRANCHES).replace(b'"yes"', b'"no"'))
    assert refused(run, changed) == [("which", "was left by 'yes', which is no branch any more")]


def test_a_failure_that_was_handled_is_kept_as_one() -> None:
    broken = code("broken")
    broken["data"]["error_strategy"] = "fail-branch"
    flow = graph(
        [start(), broken, code("repair"), code("fine"), end(out=["broken", "error_message"])],
        ("start", "broken"), ("broken", "repair", "fail-branch"), ("broken", "fine"),
        ("repair", "end"), ("fine", "end"),
    )  # fmt: skip
    run = Run(flow).start()
    run.refuse("broken", "no luck")
    run.refuse("repair")
    again = resumed(run, flow)
    assert [task["node_id"] for task in again.records(TaskScheduled)] == ["repair"]
    again.refuse("repair")
    third = resumed(again, flow, run_id="third-run")
    third.answer("repair", result="done")
    assert (third.run["status"], outputs(third)) == ("PARTIAL_SUCCEEDED", {"out": "no luck"})
    assert "fine" not in third.nodes
    handled_otherwise = orjson.loads(orjson.dumps(flow))
    handled_otherwise["nodes"][1]["data"]["error_strategy"] = None
    tasks = resumed(run, handled_otherwise).records(TaskScheduled)
    assert [task["node_id"] for task in tasks] == ["broken"]


def test_an_iteration_that_failed_is_executed_as_a_whole() -> None:
    work = code("work", x=["it", "item"])
    flow = graph(
        [start(), code("list"), *iteration("it", ["list", "items"], ["work", "result"], work),
         end(out=["it", "output"])],
        ("start", "list"), ("list", "it"), ("itstart", "work"), ("it", "end"),
    )  # fmt: skip
    run = Run(flow).start()
    run.answer("list", items=["a", "b"])
    run.succeed(run.records(TaskScheduled)[-1], result="a!")
    run.break_(run.records(TaskScheduled)[-1])
    assert (run.node("it")["status"], run.run["status"]) == ("failed", "FAILED")
    again = resumed(run, flow)
    assert [orjson.loads(task["inputs"]) for task in again.records(TaskScheduled)] == [{"x": "a"}]
    for result in ("A", "B"):
        again.succeed(again.records(TaskScheduled)[-1], result=result)
    assert outputs(again) == {"out": ["A", "B"]}
    assert origin(again.node("list")) is not None


def test_containers_that_succeeded_are_kept_with_their_variables() -> None:
    count = node(
        "count", "assigner", version="2",
        items=[{"variable_selector": ["lo", "n"], "input_type": "constant", "operation": "+=", "value": 2}],
    )  # fmt: skip
    flow = graph(
        [start(), *loop("lo", 3, count, loop_variables=[loop_variable("n", "number", 0)]),
         code("after", x=["lo", "n"]), end(n=["lo", "n"])],
        ("start", "lo"), ("lostart", "count"), ("lo", "after"), ("after", "end"),
    )  # fmt: skip
    run = Run(flow).start()
    run.refuse("after")
    again = resumed(run, flow)
    assert orjson.loads(again.task("after")["inputs"]) == {"x": 6}
    again.answer("after", result="fine")
    assert outputs(again) == {"n": 6}
    assert "count" not in again.nodes


def test_what_an_assigner_has_written_is_there() -> None:
    write = node(
        "write", "assigner", version="2",
        items=[{"variable_selector": ["a", "result"], "input_type": "constant", "operation": "over-write",
                "value": "changed"}],
    )  # fmt: skip
    flow = graph(
        [start(), code("a"), write, code("b", x=["a", "result"]), end(out=["a", "result"])],
        ("start", "a"), ("a", "write"), ("write", "b"), ("b", "end"),
    )  # fmt: skip
    run = Run(flow).start()
    run.answer("a", result="of a")
    run.refuse("b")
    second = resumed(run, flow)
    second.refuse("b")
    third = resumed(second, flow, run_id="third-run")
    assert orjson.loads(third.task("b")["inputs"]) == {"x": "changed"}
    third.answer("b", result="fine")
    assert outputs(third) == {"out": "changed"}


@pytest.mark.parametrize("answered", [True, False])
def test_nobody_is_asked_again(answered: bool) -> None:
    ask = node("ask", "human-input", user_actions=[{"id": "yes", "title": "Yes"}], timeout=1)
    flow = graph(
        [start(), ask, code("go"), code("late"), end()],
        ("start", "ask"), ("ask", "go", "yes"), ("ask", "late", "__timeout"), ("go", "end"), ("late", "end"),
    )  # fmt: skip
    run = Run(flow, Options(max_run_s=10**6)).start()
    if answered:
        run.tell(Resume("c", "click", node_execution_id=run.node("ask")["id"], action="yes"))
    else:
        run.now_us = NOW + 3_600_000_000
        run.tell(Timer("t"))
    then = "go" if answered else "late"
    run.refuse(then)
    again = resumed(run, flow)
    assert [task["node_id"] for task in again.records(TaskScheduled)] == [then]


def test_a_newer_version_in_which_the_node_was_fixed() -> None:
    fixed = orjson.loads(orjson.dumps(CHAIN))
    fixed["nodes"][2]["data"]["code"] = "def main(x):\n    return {'result': 'fixed'}"
    run = resumed(failed_chain(), fixed)
    (task,) = run.records(TaskScheduled)
    assert (task["node_id"], "fixed" in task["config"]) == ("b", True)


@pytest.mark.parametrize("split_bytes", [0, 16_384])
def test_a_node_that_comes_between_does_not_make_others_act_again(split_bytes: int) -> None:
    """Not even where they are reached later than in the first hop, and where the state is rows."""
    between = graph(
        [start(), code("new"), code("a"), code("b", x=["a", "result"]), end(out=["b", "result"])],
        ("start", "new"), ("new", "a"), ("a", "b"), ("b", "end"),
    )  # fmt: skip
    run = resumed(failed_chain(), between, split_bytes=split_bytes)
    run.answer("new", result="n")
    assert [task["node_id"] for task in run.records(TaskScheduled)] == ["new", "b"]
    run.answer("b", result="of b")
    assert outputs(run) == {"out": "of b"}
    assert run.written()[1] == {}


def test_nodes_that_are_gone_or_others_are_refused() -> None:
    failed = failed_chain()
    without_a = graph([start(), code("b"), end()], ("start", "b"), ("b", "end"))
    assert refused(failed, without_a) == [("a", "is gone in version v1")]
    without_b = graph([start(), code("a"), end()], ("start", "a"), ("a", "end"))
    assert refused(failed, without_b) == [("b", "is gone in version v1")]
    other = graph([start(), template("a", "x"), code("b"), end()], ("start", "a"), ("a", "b"), ("b", "end"))
    assert refused(failed, other) == [("a", "was a node of type code, and is one of type template-transform")]
    inside = graph(
        [start(), *iteration("it", ["start", "x"], ["a", "result"], code("a")), code("b"), end()],
        ("start", "it"), ("itstart", "a"), ("it", "b"), ("b", "end"),
    )  # fmt: skip
    assert refused(failed, inside) == [("a", "is inside it now")]


def test_a_history_that_has_not_all_of_it_is_no_reason_to_do_it_again() -> None:
    failed = failed_chain()
    everything = executions(failed)
    run, same = failed_run(failed), version(CHAIN)
    assert set(kept_nodes(run, everything, same)) == {"start", "a"}
    running = everything[1].model_copy(update={"status": "running"})
    for partial in (everything[:1], everything[:2], [everything[0], running, everything[2]]):
        with pytest.raises(Unavailable, match="send it again"):
            kept_nodes(run, partial, same)


def test_what_shows_a_secret_is_made_again_or_refused() -> None:
    flow = graph(
        [start(), template("t", "x"), code("b", x=["t", "output"]), end()],
        ("start", "t"), ("t", "b"), ("b", "end"),
    )  # fmt: skip
    run = Run(flow).start()
    run.refuse("b")
    found = [
        one.model_copy(update={"outputs": '{"output":"Bearer {{#env.KEY#}}"}'}) if one.node_id == "t" else one
        for one in executions(run)
    ]
    assert set(kept_nodes(failed_run(run), found, version(flow))) == {"start"}
    asked = [one.model_copy(update={"node_type": "assigner"}) if one.node_id == "t" else one for one in found]
    as_assigner = orjson.loads(orjson.dumps(flow))
    as_assigner["nodes"][1] = node("t", "assigner", version="2", items=[])
    with pytest.raises(Conflict) as problem:
        kept_nodes(failed_run(run), asked, version(as_assigner))
    assert "secret" in problem.value.extensions["errors"][0]["why"]


def test_what_is_no_longer_kept_is_refused() -> None:
    failed = failed_chain()
    mark = {"owner": "0" * 8 + "-0000-5000-8000-000000000000", "digest": "a" * 64, "size": 5}
    cut = orjson.dumps({"result": "...", "__hopline_offloaded__": mark}).decode()
    found = [
        one.model_copy(update={"outputs": cut}) if one.node_id == "a" else one for one in executions(failed)
    ]
    with pytest.raises(Conflict) as problem:
        kept_nodes(failed_run(failed), found, version(CHAIN))
    assert problem.value.extensions["errors"] == [
        {"node": "a", "field": "outputs", "why": "what it gave is too much, or no longer kept"}
    ]


def test_an_answer_inside_a_loop_cannot_be_put_together() -> None:
    flow = graph(
        [start(), *loop("lo", 1, node("say", "answer", answer="hi")), code("b"), end()],
        ("start", "lo"), ("lostart", "say"), ("lo", "b"), ("b", "end"),
    )  # fmt: skip
    run = Run(flow).start()
    run.refuse("b")
    ((found, why),) = refused(run, flow)
    assert (found, "answer" in why) == ("lo", True)


@settings(max_examples=60, deadline=None)
@given(plans(strategy=None), SEEDS, st.sampled_from([0, 16_384]))
def test_any_run_ends_as_if_it_had_not_failed(plan: Plan, seed: int, split_bytes: int) -> None:
    """Whatever failed is repaired, attempt by attempt; what succeeded is executed by one run only."""
    healthy = replace(plan, turns_out={n: plan.kinds[n] == "code" or v for n, v in plan.turns_out.items()})
    inputs, executed = plan.turns_out, list[str]()
    run, runs, chance = drive(plan, Random(seed)), 0, Random(seed)
    while run.run["status"] == "FAILED" and runs <= len(plan.kinds):
        executed += _executed(run)
        runs += 1
        flaky = replace(
            healthy, turns_out={n: v and chance.random() < 0.7 for n, v in healthy.turns_out.items()}
        )
        wanted = flaky if runs < len(plan.kinds) else healthy
        run = _continue(resumed(run, plan.graph, inputs, split_bytes, f"run-{runs}"), wanted, chance)
    executed += _executed(run)
    assert len(set(executed)) == len(executed)
    assert run.run["status"] == "SUCCEEDED"
    clean = drive(healthy, None)
    assert outputs(run) == outputs(clean)
    assert set(run.nodes) == set(clean.nodes)
    assert run.written()[1] == {}


def _executed(run: Run) -> list[str]:
    """Tasks that succeeded, and were not kept."""
    latest = {record["id"]: record for record in run.records(NodeExecuted)}
    return [
        record["node_id"]
        for record in latest.values()
        if record["node_type"] == "code" and record["status"] == "succeeded" and origin(record) is None
    ]


def _continue(run: Run, plan: Plan, chance: Random) -> Run:
    """To its end."""
    open_tasks = run.records(TaskScheduled)
    while open_tasks:
        task = open_tasks.pop(chance.randrange(len(open_tasks)))
        advanced = run.tell(result_of(plan, task))
        open_tasks += [e.record for e in advanced.effects if isinstance(e, TaskScheduled)]
    return run
