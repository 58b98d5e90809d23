"""Programs for property tests: graphs with branches, joins, attempts and containers in containers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from streams.engine.commands import Command, NodeResult, Timer
from streams.engine.effects import TaskScheduled
from tests.graphs import (
    Json,
    case,
    code,
    condition,
    edge,
    end,
    field,
    if_else,
    iteration,
    loop,
    start,
    template,
)
from tests.streams.engine.harness import NOW, Run, compiled, start_command

SEEDS = st.integers(0, 2**32)
INPUTS = {"items": {"list": [1, 2, 3]}, "yes": True}

_HANDLES = {"if-else": ("yes", "false"), "code": ("source", "fail-branch")}
_LEAVES = ("if-else", "code", "code", "template")
_CONTAINERS = ("iteration", "loop")
_MAX_DEPTH = 2


@dataclass(frozen=True)
class Program:
    """A graph, and a seed that decides how each attempt at each task turns out."""

    graph: Json
    seed: int

    def result_of(self, task: Json) -> NodeResult:
        """The same for the same task, whenever it is asked."""
        execution_id = task["node_execution_id"]
        chance = Random(f"{self.seed}/{execution_id}")
        metadata = {"total_tokens": chance.randrange(10), "total_price": "0.1"}
        if chance.random() < 0.3:
            error = f"{task['node_id']} broke"
            return NodeResult("r", execution_id, "failed", error=error, execution_metadata=metadata)
        outputs = {"result": [chance.randrange(100)]}
        return NodeResult("r", execution_id, "succeeded", outputs, execution_metadata=metadata)


@dataclass
class _Builder:
    draw: Callable[..., Any]
    count: int = 0

    def scope(
        self, begin: str, depth: int, around: str | None, *, must_hold: bool
    ) -> tuple[list[Json], list[Json]]:
        """Nodes that follow `begin`, and their edges. With `must_hold` none may fail what it is in."""
        nodes: list[Json] = []
        edges: list[Json] = []
        names: list[tuple[str, tuple[str, ...]]] = [(begin, ("source",))]
        for _ in range(self.draw(st.integers(1, 4 if depth else 6))):
            self.count += 1
            name = f"n{self.count}"
            made, more, handles = self.node(name, depth, around, must_hold=must_hold)
            for source, leaves in self.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
                edges.append(edge(source, name, self.draw(st.sampled_from(leaves))))
            nodes += made
            edges += more
            names.append((name, handles))
        return nodes, edges

    def node(
        self, name: str, depth: int, around: str | None, *, must_hold: bool
    ) -> tuple[list[Json], list[Json], tuple[str, ...]]:
        kind = self.draw(st.sampled_from(_LEAVES + (_CONTAINERS if depth < _MAX_DEPTH else ())))
        if kind in _CONTAINERS:
            return self.container(name, kind, depth, must_hold=must_hold)
        where = ["start", "yes"] if around is None else [around, "index"]
        if kind == "if-else":
            test = condition(where, "is", "true") if around is None else condition(where, ">", "0")
            return [if_else(name, case("yes", test))], [], _HANDLES[kind]
        if kind == "template":
            return [template(name, f"{name} {{{{ x }}}}", x=where)], [], ("source",)
        return [self.task(name, where, must_hold=must_hold)], [], _HANDLES[kind]

    def task(self, name: str, where: list[str], *, must_hold: bool) -> Json:
        made = code(name, x=where)
        made["data"]["error_strategy"] = "fail-branch" if must_hold or self.draw(st.booleans()) else None
        made["data"]["retry_config"] = {
            "retry_enabled": self.draw(st.booleans()),
            "max_retries": self.draw(st.integers(1, 2)),
            "retry_interval": self.draw(st.sampled_from([0, 500])),
        }
        return made

    def container(
        self, name: str, kind: str, depth: int, *, must_hold: bool
    ) -> tuple[list[Json], list[Json], tuple[str, ...]]:
        mode = self.draw(st.sampled_from(["continue-on-error", "remove-abnormal-output"]))
        own_hold = must_hold and kind == "loop"
        nodes, edges = self.scope(
            f"{name}start", depth + 1, name if kind == "iteration" else None, must_hold=own_hold
        )
        if kind == "loop":
            return loop(name, self.draw(st.integers(1, 3)), *nodes), edges, ("source",)
        more = {
            "is_parallel": self.draw(st.booleans()),
            "parallel_nums": self.draw(st.integers(1, 4)),
            "error_handle_mode": mode,
            "flatten_output": self.draw(st.booleans()),
        }
        last = nodes[-1]["id"]
        return (
            iteration(name, ["start", "items", "list"], [last, "result"], *nodes, **more),
            edges,
            ("source",),
        )


@st.composite
def programs(draw: Callable[..., Any]) -> Program:
    """Whatever fails has a strategy, or is inside an iteration that goes on: the order decides nothing."""
    nodes, edges = _Builder(draw).scope("start", 0, None, must_hold=True)
    outside = [node for node in nodes if "parentId" not in node]
    outputs = {node["id"]: [node["id"], "output"] for node in outside}
    closing = [edge(node["id"], "end", handle) for node in outside for handle in _handles(node)]
    begin = start(field("items", "json_object"), field("yes", "checkbox"))
    everything = [begin, *nodes, end(**outputs)]
    Random(draw(SEEDS)).shuffle(everything)
    return Program({"nodes": everything, "edges": edges + closing}, draw(SEEDS))


def _handles(node: Json) -> tuple[str, ...]:
    return _HANDLES.get(node["data"]["type"], ("source",))


def drive(program: Program, chance: Random | None = None, split_bytes: int = 16_384) -> Run:
    """To the end: the first task first without `chance`, else in any order, with anything told again."""
    run = Run(compiled(program.graph), split_bytes=split_bytes)
    told: list[Command] = []
    for command in commands(program, run, chance):
        while chance and told and chance.random() < 0.3:
            before = run.written()
            again = run.tell(chance.choice(told))
            run.now_us = NOW
            assert again.effects == ()
            assert run.written() == before
        told.append(command)
        run.now_us = time_of(run, command)
        run.tell(command)
        run.now_us = NOW
    return run


def time_of(run: Run, command: Command) -> int:
    """When it comes: a timer at its time, all else at once."""
    return run.state.retries[0].due_at if run.state and isinstance(command, Timer) else NOW


def commands(program: Program, run: Run, chance: Random | None) -> Iterator[Command]:
    """What comes for the run, one after the other, while the caller tells it."""
    yield start_command(INPUTS)
    seen = 0
    open_: list[Command] = []
    while run.state is not None and not run.state.ended:
        tasks = run.records(TaskScheduled)
        open_ += [program.result_of(task) for task in tasks[seen:]]
        seen = len(tasks)
        if run.state.retries and (not open_ or (chance and chance.random() < 0.3)):
            yield Timer("timer")
        else:
            yield open_.pop(chance.randrange(len(open_)) if chance else 0)
