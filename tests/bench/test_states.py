"""What a task writes does not grow with its run."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.states import chain, cost_of_tasks, rounds, task
from streams.engine.definition import Compiler

Graph = dict[str, Any]


def side_by_side(count: int) -> Callable[[int], Graph]:
    """Iterations with so many rounds at a time."""
    inside = task("c", ["it", "item"])
    return lambda _: rounds(inside, output=["c", "result"], is_parallel=True, parallel_nums=count)


def one_by_one(_: int) -> Graph:
    return rounds(task("c", ["it", "item"]), output=["c", "result"])


@pytest.mark.parametrize(
    "graph_of",
    [chain, one_by_one, side_by_side(10), side_by_side(1000)],
    ids=["chain", "rounds one by one", "ten rounds at a time", "all rounds at a time"],
)
def test_a_task_of_a_large_run_writes_no_more_than_one_of_a_small_run(
    graph_of: Callable[[int], Graph],
) -> None:
    small, large = (
        cost_of_tasks(Compiler().compile(graph_of(tasks), workflow_type="workflow"), tasks)
        for tasks in (100, 400)
    )
    assert large.written_bytes <= small.written_bytes * 1.02
    assert large.rows <= small.rows * 1.1
    assert large.rows < 9


def test_a_small_run_is_one_row() -> None:
    definition = Compiler().compile(chain(3), workflow_type="workflow")
    assert cost_of_tasks(definition, 3).rows == 4 / 3
