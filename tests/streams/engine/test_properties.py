"""For any graph, and any order and repetition of its commands, a run ends in the same state and records."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ids import node_execution_id
from streams.engine.advance import advance
from streams.engine.commands import NodeResult
from streams.engine.effects import NodeExecuted, RunChanged, TaskScheduled
from tests.graphs import Json, case, code, condition, edge, end, field, if_else, start, template
from tests.streams.engine.harness import NOW, Run, compiled, start_command
from tests.streams.engine.programs import (
    SEEDS,
    Program,
    commands,
    end_of,
    left_to_conversation,
    programs,
    time_of,
)
from tests.streams.engine.programs import drive as play

Edges = list[tuple[str, str, str]]
HANDLES = {"if-else": ("yes", "false"), "code": ("source", "fail-branch"), "template-transform": ("source",)}


@dataclass(frozen=True)
class Plan:
    """A graph, and how everything in it turns out."""

    graph: Json
    edges: Edges
    kinds: dict[str, str]
    turns_out: dict[str, bool]
    """Whether a condition holds or a task succeeds."""

    def leaves_by(self, name: str) -> str:
        yes, *no = HANDLES[self.kinds[name]]
        return yes if self.turns_out[name] or not no else no[0]


@st.composite
def plans(draw: Callable[..., Any], strategy: str | None = "fail-branch") -> Plan:
    names = [f"n{i}" for i in range(draw(st.integers(1, 9)))]
    kinds = {name: draw(st.sampled_from(sorted(HANDLES))) for name in names}
    turns_out = {name: draw(st.booleans()) for name in names}
    edges: Edges = []
    for i, name in enumerate(names):
        for source in draw(st.lists(st.sampled_from(["start", *names[:i]]), min_size=1, max_size=3)):
            handles = HANDLES[kinds[source]] if source != "start" else ("source",)
            edges.append((source, name, draw(st.sampled_from(handles))))
    fields = [field(name, "checkbox") for name in names]
    nodes = [start(*fields), *(_node(name, kinds[name], strategy) for name in names)]
    nodes.append(end(**{name: [name, "output"] for name in names}))
    edges += [(name, "end", handle) for name in names for handle in HANDLES[kinds[name]]]
    Random(draw(SEEDS)).shuffle(nodes)
    return Plan({"nodes": nodes, "edges": [edge(*ends) for ends in edges]}, edges, kinds, turns_out)


def _node(name: str, kind: str, strategy: str | None) -> Json:
    if kind == "if-else":
        return if_else(name, case("yes", condition(["start", name], "is", "true")))
    if kind == "code":
        made = code(name)
        made["data"]["error_strategy"] = strategy
        return made
    return template(name, f"{name} of {{{{ x }}}}", x=["start", name])


def expected_nodes(plan: Plan) -> set[str]:
    """Straight from the definition: a node runs if an edge that is taken leads to it."""
    ran = {"start"}
    for name in [*plan.kinds, "end"]:  # every edge leads from an earlier name to a later one
        if any(s in ran and (s == "start" or plan.leaves_by(s) == h) for s, t, h in plan.edges if t == name):
            ran.add(name)
    return ran


def result_of(plan: Plan, task: Json) -> NodeResult:
    name = task["node_id"]
    status = "succeeded" if plan.turns_out[name] else "failed"
    outputs = {"output": f"{name} done"} if plan.turns_out[name] else {}
    return NodeResult(f"r/{name}", task["node_execution_id"], status, outputs, error=f"{name} broke")


def drive(plan: Plan, chance: Random | None) -> Run:
    """To the end: in order without `chance`, else in any order and with anything told again at any time."""
    run = Run(compiled(plan.graph))
    run.now_us = NOW
    told: list[Any] = [start_command(plan.turns_out)]
    run.tell(told[0])
    open_tasks: list[Json] = run.records(TaskScheduled)
    while open_tasks:
        while chance and chance.random() < 0.4:
            before = run.state
            again = run.tell(chance.choice(told))
            assert again.effects == ()
            assert again.state == before
        task = open_tasks.pop(chance.randrange(len(open_tasks)) if chance else 0)
        told.append(result_of(plan, task))
        advanced = run.tell(told[-1])
        run.now_us = NOW
        open_tasks += [e.record for e in advanced.effects if isinstance(e, TaskScheduled)]
    return run


def latest(run: Run) -> dict[str, Json]:
    """The last record of each node, without its place in the order of execution and its times."""
    left_out = ("index", "created_at", "finished_at", "elapsed_time")
    records = {record["node_id"]: record for record in run.records(NodeExecuted)}
    return {name: {k: v for k, v in r.items() if k not in left_out} for name, r in records.items()}


@settings(max_examples=150, deadline=None)
@given(plans(), SEEDS)
def test_order_and_repetition_make_no_difference(plan: Plan, seed: int) -> None:
    in_order, by_chance = drive(plan, None), drive(plan, Random(seed))
    assert in_order.state == by_chance.state
    assert in_order.state is not None
    assert in_order.state.ended
    assert latest(in_order) == latest(by_chance)
    for key in ("status", "outputs", "total_steps", "exceptions_count", "revision"):
        assert in_order.run[key] == by_chance.run[key]
    for run in (in_order, by_chance):
        assert set(run.nodes) == expected_nodes(plan)
        revisions = [(r["id"], r["revision"]) for r in run.records(NodeExecuted)]
        assert len(set(revisions)) == len(revisions)
        assert sorted({r["index"] for r in run.records(NodeExecuted)}) == list(range(1, len(run.nodes) + 1))
        assert {r["id"] for r in run.records(NodeExecuted)} == {
            node_execution_id("run", name) for name in run.nodes
        }


@settings(max_examples=60, deadline=None)
@given(plans(strategy=None), SEEDS)
def test_a_failure_leaves_nothing_running(plan: Plan, seed: int) -> None:
    run = drive(plan, Random(seed))
    assert {r["status"] for r in latest(run).values()} <= {"succeeded", "failed", "stopped"}
    failed = [r for r in latest(run).values() if r["status"] == "failed"]
    assert run.run["status"] == ("FAILED" if failed else "SUCCEEDED")
    assert len(failed) <= 1
    assert set(run.nodes) <= {"start", "end", *plan.kinds}
    assert [r["revision"] for r in run.records(RunChanged)] == list(
        range(1, len(run.records(RunChanged)) + 1)
    )


@settings(max_examples=60, deadline=None)
@given(plans(), SEEDS)
def test_a_crash_before_the_state_is_kept_makes_no_difference(plan: Plan, seed: int) -> None:
    """The records are out, the state is not: the command comes again, to the state before it."""
    run = Run(compiled(plan.graph))
    commands: list[Any] = [start_command(plan.turns_out)]
    while commands:
        command = commands.pop(Random(seed).randrange(len(commands)))
        before = run.state
        lost = advance(run.definition, before, command, run.now_us)
        kept = run.tell(command)
        assert kept == lost
        assert [type(e) for e in kept.effects] == [type(e) for e in lost.effects]
        commands += [result_of(plan, e.record) for e in kept.effects if isinstance(e, TaskScheduled)]
    assert run.state is not None
    assert run.state.ended


def last_records(run: Run) -> dict[str, Json]:
    """The last record of each execution, without its place in the order of execution and its times. What an
    assigner has counted by then is left out, too: rounds that run side by side count in any order. So is the
    moment that a node has waited for, which depends on when it was reached."""
    records = {record["id"]: record for record in run.records(NodeExecuted)}
    return {name: _without_chance(record) for name, record in records.items()}


def _without_chance(record: Json) -> Json:
    left_out = {"index", "created_at", "finished_at", "elapsed_time"}
    if record["node_type"] == "assigner":
        left_out |= {"inputs", "outputs", "process_data"}
    if record["node_type"] == "wait":
        left_out.add("outputs")
    kept = {key: value for key, value in record.items() if key not in left_out}
    metadata = orjson.loads(record["execution_metadata"] or "{}")
    pause = metadata.get("pause", {})
    pause.pop("pause_expires_at", None)
    pause.get("pause_metadata", {}).pop("resume_at", None)
    metadata.pop("iteration_duration_map", None)
    metadata.pop("loop_duration_map", None)
    return {**kept, "execution_metadata": metadata}


@settings(max_examples=150, deadline=None)
@given(programs(), SEEDS, st.sampled_from([0, 500, 16_384]))
def test_with_containers_order_repetition_and_form_make_no_difference(
    program: Program, seed: int, split_bytes: int
) -> None:
    in_order, by_chance = play(program), play(program, Random(seed), split_bytes)
    assert end_of(in_order) == end_of(by_chance)
    assert last_records(in_order) == last_records(by_chance)
    assert left_to_conversation(in_order) == left_to_conversation(by_chance)
    for key in ("status", "outputs", "total_steps", "exceptions_count", "total_tokens"):
        assert in_order.run[key] == by_chance.run[key]
    for run in (in_order, by_chance):
        assert run.run["status"] in {"SUCCEEDED", "PARTIAL_SUCCEEDED"}
        assert not {r["status"] for r in last_records(run).values()} & {"running", "paused", "stopped"}
        outputs = orjson.loads(run.run["outputs"])
        for name, value in left_to_conversation(run).items():
            assert outputs[f"count_{name}"] == value
        told = [(r["id"], r["revision"]) for r in run.records(NodeExecuted)]
        assert len(set(told)) == len(told)
        assert sorted({r["index"] for r in run.records(NodeExecuted)}) == list(
            range(1, run.run["total_steps"] + 1)
        )
        revisions = [r["revision"] for r in run.records(RunChanged)]
        assert revisions == list(range(1, len(revisions) + 1))
        assert run.written()[1] == {}


@settings(max_examples=80, deadline=None)
@given(programs(), SEEDS, st.sampled_from([0, 16_384]))
def test_with_containers_a_crash_makes_no_difference(program: Program, seed: int, split_bytes: int) -> None:
    """The records of a command are out, its rows are not: it comes again, to the rows before it."""
    run = program.run(split_bytes)
    for command in commands(program, run, Random(seed)):
        run.now_us = time_of(run, command)
        lost = run.rehearse(command)
        kept = run.tell(command)
        assert kept.effects == lost.effects
        assert kept.state == lost.state
    assert run.state is not None
    assert run.state.ended


@settings(max_examples=60, deadline=None)
@given(programs(), SEEDS, st.integers(0, 10))
def test_with_containers_a_run_that_is_stopped_leaves_nothing_running(
    program: Program, seed: int, after: int
) -> None:
    run = program.run(split_bytes=0)
    for command in islice(commands(program, run, Random(seed)), after + 1):
        run.now_us = time_of(run, command)
        run.tell(command)
    was_over = run.state is not None and run.state.ended
    run.cancel()
    assert (run.run["status"] == "STOPPED") is not was_over
    assert not {r["status"] for r in last_records(run).values()} & {"running", "paused"}
    assert run.written()[1] == {}


def test_programs_have_all_there_is() -> None:
    """Else the properties above would hold for want of a case."""
    seen: set[str] = set()

    @settings(max_examples=120, deadline=None, derandomize=True, database=None)
    @given(programs())
    def collect(program: Program) -> None:
        run = play(program)
        for record in run.records(NodeExecuted):
            outputs = orjson.loads(record["outputs"] or "{}")
            seen.update({f"{record['node_type']} {record['status']}", f"by {outputs.get('__action_id')!r}"})
        seen.update(f"run {record['status']}" for record in run.records(RunChanged))

    collect()
    assert seen >= {
        "assigner succeeded", "code retry", "code exception", "code failed", "iteration succeeded",
        "loop succeeded", "human-input paused", "wait paused", "wait succeeded", "by 'yes'", "by 'no'",
        "by ''", "run PAUSED", "run PARTIAL_SUCCEEDED",
    }  # fmt: skip
