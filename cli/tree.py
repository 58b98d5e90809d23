"""A run as a tree: each node execution under the one that led to it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from cli.output import duration
from cli.plain import one_line

_MAX_DEPTH = 12

_STYLES = {
    "succeeded": "green", "failed": "bold red", "stopped": "magenta", "running": "cyan", "paused": "cyan",
    "exception": "yellow", "retry": "yellow", "partial_succeeded": "yellow",
}  # fmt: skip


def run_tree(run: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> Tree:
    """`run` and `nodes` with the fields of WorkflowRun and WorkflowNodeExecution, in any order.

    A node whose predecessor is not among them hangs on the root. A chain goes straight down once it is
    `_MAX_DEPTH` deep, or it would leave the screen.
    """
    tree = Tree(_run_line(run), guide_style="dim")
    # The way from the root to each node, by node id: in a loop a node leads on from its latest round.
    ways: dict[str, list[Tree]] = {}
    for node in sorted(nodes, key=lambda one: int(one.get("index") or 0)):
        way = ways.get(node.get("predecessor_node_id") or "", [tree])[:_MAX_DEPTH]
        ways[str(node["node_id"])] = [*way, way[-1].add(_node_line(node))]
    return tree


def _run_line(run: Mapping[str, Any]) -> Text:
    line = status_text(str(run.get("status", "")))
    line.append(f"  {duration(run.get('elapsed_time'))}", "bold")
    line.append(f"  run {one_line(str(run.get('id', '')))}", "dim")
    return _with_error(line, run)


def _node_line(node: Mapping[str, Any]) -> Text:
    kind = str(node.get("node_type", ""))
    line = Text(one_line(str(node.get("title") or node["node_id"])))
    line.append(f"  {one_line(kind)}  ", "dim")
    line.append(status_text(str(node.get("status", ""))))
    if (origin := (node.get("execution_metadata") or {}).get("resumed_from")) is not None:
        line.append(f"  in run {one_line(str(origin['workflow_run_id']))}", "dim")
    else:
        line.append(f"  {duration(node.get('elapsed_time'))}")
    return _with_error(line, node)


def status_text(status: str) -> Text:
    """In the colour that it has everywhere."""
    return Text(one_line(status), _STYLES.get(status.lower(), ""))


def _with_error(line: Text, record: Mapping[str, Any]) -> Text:
    if record.get("error"):
        line.append(f"\n{one_line(str(record['error']))}", "red")
    return line
