"""How a run is drawn."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from cli.tree import run_tree


def node(index: int, node_id: str, predecessor: str | None, **fields: Any) -> dict[str, Any]:
    return {
        "index": index,
        "node_id": node_id,
        "predecessor_node_id": predecessor,
        "title": node_id.title(),
        "node_type": "code",
        "status": "succeeded",
        "elapsed_time": 0.0042,
        "error": None,
        **fields,
    }


def drawn(nodes: Sequence[Mapping[str, Any]], **run: Any) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=200).print(
        run_tree({"id": "r1", "status": "SUCCEEDED", "elapsed_time": 1.5, **run}, nodes)
    )
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_follows_predecessors_in_order_of_index() -> None:
    nodes = [node(4, "join", "b"), node(3, "b", "start"), node(1, "start", None), node(2, "a", "start")]
    assert drawn(nodes) == [
        "SUCCEEDED  1.50 s  run r1",
        "└── Start  code  succeeded  4.2 ms",
        "    ├── A  code  succeeded  4.2 ms",
        "    └── B  code  succeeded  4.2 ms",
        "        └── Join  code  succeeded  4.2 ms",
    ]


def test_error_stands_under_its_node() -> None:
    lines = drawn(
        [node(1, "start", None, status="failed", error="no\nluck")], status="FAILED", error="Start: no luck"
    )
    assert lines[0].startswith("FAILED")
    assert lines[1] == "Start: no luck"
    assert lines[3].strip() == "no luck"


def test_node_without_its_predecessor_hangs_on_the_root() -> None:
    assert drawn([node(7, "late", "missing")])[1].startswith("└── Late")


def test_rounds_of_a_loop_hang_on_the_round_before() -> None:
    nodes = [node(1, "a", None), node(2, "b", "a"), node(3, "a", "b"), node(4, "b", "a")]
    assert [len(line) - len(line.lstrip(" ")) for line in drawn(nodes)[1:]] == [0, 4, 8, 12]


def test_what_has_not_ended_has_no_time() -> None:
    lines = drawn(
        [node(1, "a", None, status="running", elapsed_time=None)], status="RUNNING", elapsed_time=None
    )
    assert lines[1] == "└── A  code  running"


def test_markup_and_escapes_are_only_text() -> None:
    lines = drawn([node(1, "a", None, title="[red]x[/red]\x1b[2J")])
    assert "[red]x[/red]" in lines[1]
    assert "\x1b" not in lines[1]


def test_long_chain_stays_on_the_screen() -> None:
    chain = [node(1, "n0", None), *(node(i + 1, f"n{i}", f"n{i - 1}") for i in range(1, 80))]
    lines = drawn(chain)
    assert [line.split()[1] for line in lines[1:]] == [f"N{i}" for i in range(80)]
    assert max(map(len, lines)) < 80


def test_what_was_kept_says_which_run_has_executed_it() -> None:
    origin = {"resumed_from": {"workflow_run_id": "r0", "node_execution_id": "n0"}}
    nodes = [node(1, "a", None, execution_metadata=origin), node(2, "b", "a", execution_metadata=None)]
    assert drawn(nodes)[1:] == [
        "└── A  code  succeeded  in run r0",
        "    └── B  code  succeeded  4.2 ms",
    ]
