"""Programs for property tests: graphs with branches, joins, attempts, containers in containers, people to
ask, moments to wait for and variables of the conversation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import orjson
from hypothesis import strategies as st

from schemas.models import WorkflowType
from streams.engine.advance import due_us
from streams.engine.commands import Command, NodeResult, Resume, Start, Timer
from streams.engine.effects import ConversationChanged, NodeExecuted, TaskScheduled
from streams.engine.options import Options
from streams.engine.state import SPLIT_BYTES, RunState
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
    node,
    start,
    template,
)
from tests.streams.engine.harness import NOW, Run, compiled, start_command

SEEDS = st.integers(0, 2**32)
INPUTS = {"items": {"list": [1, 2, 3]}, "yes": True}

_HANDLES = {
    "if-else": ("yes", "false"),
    "code": ("source", "fail-branch"),
    "human-input": ("yes", "no", "__timeout"),
}
_LEAVES = ("if-else", "code", "code", "template", "human-input", "wait", "assigner")
_CONTAINERS = ("iteration", "loop")
_MAX_DEPTH = 2

_FOR_EVER_S = 10**9
_SOON_US = 43_200 * 1_000_000
"""What is due within half a day is let happen; a pause that lasts a day is answered."""


@dataclass(frozen=True)
class Program:
    """A graph, and a seed that decides how each attempt at each task turns out."""

    graph: Json
    seed: int

    def run(self, split_bytes: int = SPLIT_BYTES) -> Run:
        """Not begun yet. It is a turn of a chat, and each of its assigners has a variable of its own."""
        names = [node["id"] for node in self.graph["nodes"] if node["data"]["type"] == "assigner"]
        variables = [{"name": name, "value_type": "number", "value": 0} for name in names]
        definition = compiled(self.graph, WorkflowType.CHAT, conversation_variables=variables)
        return Run(definition, Options(max_run_s=_FOR_EVER_S, max_node_s=_FOR_EVER_S), split_bytes)

    def start(self) -> Start:
        """The turn begins."""
        return start_command(INPUTS, system={"conversation_id": "chat", "dialogue_count": 1})

    def answer_to(self, asking: Json) -> Resume | None:
        """What is said to a node that asks or waits; None for one whose time is to run out."""
        if asking["node_id"] in self._unanswered():
            return None
        execution_id = asking["id"]
        if asking["node_type"] == "wait":
            return Resume("early", f"of {execution_id}", execution_id)
        action = Random(f"{self.seed}/{execution_id}").choice(["yes", "no"])
        return Resume("answer", f"of {execution_id}", execution_id, inputs={"x": execution_id}, action=action)

    def _unanswered(self) -> set[str]:
        units = ("timeout_unit", "duration_unit")
        data = {node["id"]: node["data"] for node in self.graph["nodes"]}
        return {name for name, one in data.items() if any(one.get(unit) == "minute" for unit in units)}

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
        if kind == "human-input":
            return [self.asking(name)], [], _HANDLES[kind]
        if kind == "wait":
            unit = self.draw(st.sampled_from(["minute", "day"]))
            return (
                [node(name, "wait", duration=self.draw(st.integers(0, 2)), duration_unit=unit)],
                [],
                ("source",),
            )
        if kind == "assigner":
            return [_counting(name)], [], ("source",)
        if kind == "template":
            return [template(name, f"{name} {{{{ x }}}}", x=where)], [], ("source",)
        return [self.task(name, where, must_hold=must_hold)], [], _HANDLES[kind]

    def asking(self, name: str) -> Json:
        """Nobody answers one that waits for a minute, all others are answered within the day."""
        actions = [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}]
        unit = self.draw(st.sampled_from(["minute", "day"]))
        form = [{"output_variable_name": "x", "type": "text-input"}]
        return node(name, "human-input", inputs=form, user_actions=actions, timeout=1, timeout_unit=unit)

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


def _counting(name: str) -> Json:
    """Adds to a variable that no other node reads: whatever the order of the rounds, the sum is the same."""
    item = {
        "variable_selector": ["conversation", name],
        "input_type": "constant",
        "operation": "+=",
        "value": 1,
    }
    return node(name, "assigner", version="2", items=[item])


@st.composite
def programs(draw: Callable[..., Any]) -> Program:
    """Whatever fails has a strategy, or is inside an iteration that goes on: the order decides nothing."""
    nodes, edges = _Builder(draw).scope("start", 0, None, must_hold=True)
    outside = [one for one in nodes if "parentId" not in one]
    outputs = {one["id"]: [one["id"], "output"] for one in outside}
    counters = [one["id"] for one in nodes if one["data"]["type"] == "assigner"]
    outputs |= {f"count_{name}": ["conversation", name] for name in counters}
    closing = [edge(one["id"], "end", handle) for one in outside for handle in _handles(one)]
    begin = start(field("items", "json_object"), field("yes", "checkbox"))
    everything = [begin, *nodes, end(**outputs)]
    Random(draw(SEEDS)).shuffle(everything)
    return Program({"nodes": everything, "edges": edges + closing}, draw(SEEDS))


def _handles(one: Json) -> tuple[str, ...]:
    return _HANDLES.get(one["data"]["type"], ("source",))


def drive(program: Program, chance: Random | None = None, split_bytes: int = SPLIT_BYTES) -> Run:
    """To the end: the first task first without `chance`, else in any order, with anything told again."""
    run = program.run(split_bytes)
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
    due = due_us(run.state, run.options) if run.state and isinstance(command, Timer) else None
    return NOW if due is None else due


def commands(program: Program, run: Run, chance: Random | None) -> Iterator[Command]:
    """What comes for the run, one after the other, while the caller tells it."""
    yield program.start()
    tasks = asked = 0
    open_: list[Command] = []
    while run.state is not None and not run.state.ended:
        scheduled = run.records(TaskScheduled)
        asking = [record for record in run.records(NodeExecuted) if record["status"] == "paused"]
        open_ += [program.result_of(task) for task in scheduled[tasks:]]
        open_ += [answer for record in asking[asked:] if (answer := program.answer_to(record))]
        tasks, asked = len(scheduled), len(asking)
        due = due_us(run.state, run.options)
        if due is not None and due < NOW + _SOON_US and (not open_ or (chance and chance.random() < 0.3)):
            yield Timer("timer")
        else:
            yield open_.pop(chance.randrange(len(open_)) if chance else 0)


def end_of(run: Run) -> RunState:
    """The state that the run has ended in, without how often and when it was paused."""
    assert run.state is not None
    assert run.state.ended
    answers = tuple(sorted(run.state.interactions))
    return replace(run.state, revision=0, paused_at=0, paused_us=0, interactions=answers)


def left_to_conversation(run: Run) -> Json:
    """What the conversation has in the end: of each variable the write of the last step."""
    kept: dict[str, tuple[int, Any]] = {}
    for record in run.records(ConversationChanged):
        payload = orjson.loads(record["payload"])
        for name, value in payload.get("variables", {}).items():
            kept[name] = max(kept.get(name, (0, None)), (payload["step"], value))
    return {name: value for name, (_, value) in kept.items()}
