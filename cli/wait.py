"""Waiting for a run, with something to see on a terminal."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.client import Client, Refused
from cli.errors import CommandFailed
from cli.output import one_line

_POLL_S = 0.2
_NOT_FOUND = 404
_UNDER_WAY = frozenset({"RUNNING", "PAUSED"})


def wait_for_run(client: Client, run_id: str, timeout_s: float) -> Mapping[str, Any]:
    """The run once it has ended. Raises `CommandFailed` when it has not within `timeout_s`.

    Polls: a run is visible only when the sink has written it, a moment after it began.
    """
    deadline = time.monotonic() + timeout_s
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("waiting for the run to begin", total=None)
        while True:
            run = _look(client, run_id)
            if run is not None and run["status"] not in _UNDER_WAY:
                return run
            if time.monotonic() >= deadline:
                raise CommandFailed(
                    f"run {run_id} has not {'ended' if run else 'begun'} within {timeout_s:g} s: "
                    f"`hopline run show {run_id}` tells how far it is"
                )
            if run is not None:
                progress.update(task, description=one_line(f"{run['status']}, step {run['total_steps']}"))
            time.sleep(_POLL_S)


def _look(client: Client, run_id: str) -> Mapping[str, Any] | None:
    try:
        run: Mapping[str, Any] = client.get("runs", run_id)
    except Refused as refused:
        if refused.status == _NOT_FOUND:
            return None
        raise
    return run
