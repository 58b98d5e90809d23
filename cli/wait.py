"""Waiting for a run, with something to see on a terminal."""

import time
from collections.abc import Mapping, Sequence, Set
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.client import Client, Refused
from cli.errors import CommandFailed
from cli.plain import one_line

_POLL_S = 0.2
_LAST_NODES_S = 5.0
_NOT_FOUND = 404
_UNDER_WAY = frozenset({"RUNNING", "PAUSED", "running"})
_ANSWERED = _UNDER_WAY | {"paused"}


def wait_for_run(client: Client, run_id: str, timeout_s: float) -> Mapping[str, Any]:
    """The run once it has ended. Raises `CommandFailed` when it has not within `timeout_s`."""
    return _wait(client, ("run", "runs"), run_id, timeout_s)


def wait_for_nodes(client: Client, run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a run that has ended. The sink may have written that before the last of them: it is waited for."""
    deadline = time.monotonic() + _LAST_NODES_S
    while True:
        nodes: list[Mapping[str, Any]] = client.get("runs", run["id"], "nodes")["data"]
        if is_whole(run, nodes) or time.monotonic() >= deadline:
            return nodes
        time.sleep(_POLL_S)


def is_whole(run: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these are all node executions of a run that has ended, each as it ended."""
    steps = {node["index"] for node in nodes}
    return len(steps) >= run["total_steps"] and all(node["status"] not in _UNDER_WAY for node in nodes)


def wait_for_node(client: Client, execution_id: str, timeout_s: float) -> Mapping[str, Any]:
    """The node execution once it has ended or waits for a person, likewise."""
    return _wait(client, ("node execution", "node-executions"), execution_id, timeout_s)


def wait_for_answer(client: Client, execution_id: str, timeout_s: float) -> Mapping[str, Any]:
    """The same, once it has taken its answer."""
    return _wait(client, ("node execution", "node-executions"), execution_id, timeout_s, _ANSWERED)


def _wait(
    client: Client,
    what: tuple[str, str],
    wanted: str,
    timeout_s: float,
    under_way: Set[str] = _UNDER_WAY,
) -> Mapping[str, Any]:
    """Polls: what begins is visible only when the sink has written it, a moment later."""
    name, path = what
    deadline = time.monotonic() + timeout_s
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task(f"waiting for the {name} to begin", total=None)
        while True:
            found = _look(client, path, wanted)
            if found is not None and found["status"] not in under_way:
                return found
            if time.monotonic() >= deadline:
                raise CommandFailed(
                    f"{name} {wanted} has not {'ended' if found else 'begun'} within {timeout_s:g} s"
                    + (f": `hopline run show {wanted}` tells how far it is" if name == "run" else "")
                )
            if found is not None:
                step = f", step {found['total_steps']}" if "total_steps" in found else ""
                progress.update(task, description=one_line(f"{found['status']}{step}"))
            time.sleep(_POLL_S)


def _look(client: Client, path: str, wanted: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = client.get(path, wanted)
    except Refused as refused:
        if refused.status == _NOT_FOUND:
            return None
        raise
    return found
