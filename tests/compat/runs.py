"""Runs that are under way when a release ends: their rows, and the messages that the next one gets."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from unittest.mock import patch

from schemas.ids import node_execution_id
from schemas.models import Workflow
from tests.streams.test_runner import RUN, VERSION, WAITING, Bench, asking

Follow = tuple[str, dict[str, Any]]
_RESULT: Follow = (
    "NODE_RESULT",
    {"node_execution_id": node_execution_id(RUN, "code"), "status": "succeeded", "outputs": {"m": 2}},
)
_ANSWER: Follow = ("RESUME", {"interaction_id": "click", "action": "yes"})
_CANCEL: Follow = ("CANCEL", {"reason": "by ada"})


def runs() -> dict[str, dict[str, Any]]:
    """All kinds, by their names."""
    return {
        "waiting": _run(_waiting, _RESULT),
        "waiting-in-parts": _run(_in_parts, _RESULT),
        "waiting-of-the-draft": _run(_of_the_draft, _RESULT),
        "paused": _run(asking, _ANSWER),
        "paused-in-parts": _run(lambda: _split(asking), _ANSWER),
        "cancelled": _run(_waiting, _CANCEL),
    }


def follow(name: str, recorded: dict[str, Any]) -> dict[str, Any]:
    """The last record of the run, once its rows have got the messages."""
    bench = asking() if name.startswith("paused") else Bench(WAITING, recorded["version"])
    bench.table.clear()
    bench.table.update({key: bytes.fromhex(row) for key, row in recorded["rows"].items()})
    sent: list[dict[str, Any]] = []
    for value in recorded["messages"]:
        record = bench.command("CANCEL", {})
        record.value = bytes.fromhex(value)
        sent += bench.tell(record)["runs"]
    return {name: sent[-1][name] for name in ("status", "outputs", "error")}


def _waiting(version: str = VERSION) -> Bench:
    bench = Bench(WAITING, version)
    bench.start()
    return bench


def _of_the_draft() -> Bench:
    """Its row has the workflow, with the time at which that was made."""
    made = datetime(2026, 11, 18, tzinfo=UTC)
    with patch("tests.streams.test_runner.Workflow", partial(Workflow, created_at=made, updated_at=made)):
        return _waiting("draft")


def _in_parts() -> Bench:
    return _split(_waiting)


def _split(begin: Callable[[], Bench]) -> Bench:
    with patch("streams.runner.SPLIT_BYTES", 0):
        return begin()


def _run(begin: Callable[[], Bench], message: Follow) -> dict[str, Any]:
    bench = begin()
    kind, payload = message
    recorded: dict[str, Any] = {
        "version": bench.version,
        "rows": {key: row.hex() for key, row in bench.table.items()},
        "messages": [(bench.command(kind, payload).value or b"").hex()],
    }
    last = bench.tell(bench.command(kind, payload))["runs"][-1]
    return {**recorded, "ends": {name: last[name] for name in ("status", "outputs", "error")}}
