"""What a task costs the engine as runs grow: the hop, and reading and writing the state, without Kafka.

Each task gives a kilobyte. A chain is a graph of as many tasks one after the other; an iteration has one task
and as many rounds.
"""

import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from typing import Any, NamedTuple

from bench.graphs import edge, node
from streams.engine.advance import advance
from streams.engine.commands import Command, NodeResult, Start
from streams.engine.definition import Compiler, Definition
from streams.engine.effects import TaskScheduled
from streams.engine.options import Options
from streams.engine.state import decode, encode

NOW_US = 1_700_000_000_000_000
_TIMES = 3
"""The best counts: the others show what else the machine was doing."""

OPTIONS = Options(max_steps=1_000_000)
RESULT = {"result": "x" * 1000}


class Cost(NamedTuple):
    """Of one task of a run."""

    us: float
    """CPU time of the hop that its result causes."""
    written_bytes: float
    """To the table of the runs."""
    rows: float
    """Of them."""


class _Rows:
    """The rows of a run's parts."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """See `PartRows`."""
        return self.kept.get(key)

    def all_keys(self) -> Iterator[str]:
        """See `PartRows`."""
        return iter(list(self.kept))


ECHO = "def main(x):\n    return {'result': x}"


def chain(tasks: int, script: str = ECHO) -> dict[str, Any]:
    """start -> tasks -> end."""
    names = [f"c{i}" for i in range(tasks)]
    selectors = [["start", "items"], *([name, "result"] for name in names)]
    begin = node("start", "start", variables=[_LIST])
    end = node("end", "end", outputs=[{"variable": "x", "value_selector": selectors[-1]}])
    nodes = [begin, *(task(*ends, script) for ends in zip(names, selectors, strict=False)), end]
    return {"nodes": nodes, "edges": [edge(a, b) for a, b in pairwise(["start", *names, "end"])]}


def task(name: str, selector: list[str], script: str = ECHO) -> dict[str, Any]:
    """A code node."""
    return node(name, "code", code=script, code_language="python3",
                variables=[{"variable": "x", "value_selector": selector}],
                outputs={"result": {"type": "string", "children": None}})  # fmt: skip


def rounds(*inside: dict[str, Any], output: list[str], **data: Any) -> dict[str, Any]:
    """start -> iteration over `items` -> end; the nodes inside one after the other."""
    names = ["itstart", *(one["id"] for one in inside)]
    begin = node("itstart", "iteration-start")
    container = node("it", "iteration", start_node_id="itstart", iterator_selector=["start", "items", "list"],
                     output_selector=output, **data)  # fmt: skip
    end = node("end", "end", outputs=[{"variable": "x", "value_selector": ["it", "output"]}])
    nodes = [node("start", "start", variables=[_LIST]), container, end]
    nodes += [{**one, "parentId": "it"} for one in (begin, *inside)]
    edges = [
        edge("start", "it"),
        edge("it", "end"),
        *(edge(a, b) for a, b in pairwise(names)),
    ]
    return {"nodes": nodes, "edges": edges}


def cost_of_tasks(definition: Definition, items: int) -> Cost:
    """A whole run, each result as soon as its task is there."""
    rows, state, head = _Rows(), None, b""
    commands: list[Command] = [
        Start("c", "run", "tenant", "app", "workflow", "v1", 1, {"items": {"list": list(range(items))}})
    ]
    spent = tasks = written = written_rows = 0
    while commands:
        command = commands.pop(0)
        began = time.process_time_ns()
        state = decode(head, rows) if head else None
        advanced = advance(definition, state, command, NOW_US, OPTIONS)
        assert advanced.state is not None
        head, changed = encode(advanced.state)
        for key, row in changed.items():
            if row is None:
                rows.kept.pop(key, None)
            else:
                rows.kept[key] = row
        spent += time.process_time_ns() - began
        written += len(head) + sum(len(row) for row in changed.values() if row is not None)
        written_rows += 1 + len(changed)
        for effect in advanced.effects:
            if isinstance(effect, TaskScheduled):
                tasks += 1
                commands.append(NodeResult("r", effect.record["node_execution_id"], "succeeded", RESULT))
    assert advanced.state is not None
    assert advanced.state.status == "SUCCEEDED", advanced.state.error
    return Cost(spent / 1000 / tasks, written / tasks, written_rows / tasks)


def us_of_pure(definition: Definition, items: int, seconds: float) -> float:
    """CPU time of a run that ends in its first hop, the best of those that fit into `seconds`."""
    best, until = float("inf"), time.process_time() + seconds
    inputs = {"items": {"list": list(range(items))}}
    for run in count():
        began = time.process_time()
        start = Start("c", f"run-{run}", "tenant", "app", "workflow", "v1", 1, inputs)
        advanced = advance(definition, None, start, NOW_US, OPTIONS)
        best = min(best, time.process_time() - began)
        assert advanced.state is not None
        assert advanced.state.status == "SUCCEEDED", advanced.state.error
        if time.process_time() > until:
            break
    return best * 1e6


def main() -> None:
    """Prints what a task costs in runs of three sizes, and what a pure round does."""
    print(f"\n{'tasks':<34} {'number':>7} {'us/task':>8} {'bytes/task':>11} {'rows/task':>10}")
    for name, graph_of in _TASKS.items():
        for tasks in (10, 100, 500 if name == "chain" else 1000):
            definition = _compiled(graph_of(tasks))
            cost = min(cost_of_tasks(definition, tasks) for _ in range(_TIMES))
            print(f"{name:<34} {tasks:>7} {cost.us:>8.0f} {cost.written_bytes:>11.0f} {cost.rows:>10.1f}")
    print(f"\n{'pure':<34} {'rounds':>7} {'us/round':>8}")
    inside = node("t", "template-transform", template="{{ x }} of it", variables=[_ITEM])
    for items in (10, 100, 1000):
        definition = _compiled(rounds(inside, output=["t", "output"]))
        us = us_of_pure(definition, items, 0.5)
        print(f"{'iteration of a template':<34} {items:>7} {us / items:>8.1f}")


def _compiled(graph: dict[str, Any]) -> Definition:
    return Compiler().compile(graph, workflow_type="workflow")


def _iteration(**data: Any) -> Callable[[int], dict[str, Any]]:
    return lambda _: rounds(task("c", ["it", "item"]), output=["c", "result"], **data)


_LIST = {"variable": "items", "label": "items", "type": "json_object", "required": True}
_ITEM = {"variable": "x", "value_selector": ["it", "item"]}
_TASKS: dict[str, Callable[[int], dict[str, Any]]] = {
    "chain": chain,
    "iteration, one by one": _iteration(),
    "iteration, 10 side by side": _iteration(is_parallel=True),
    "iteration, all side by side": _iteration(is_parallel=True, parallel_nums=10_000),
}

if __name__ == "__main__":
    main()
