"""Attempts at a node as the second stage sees them: rows that are due, results that come too late."""

from typing import Any

import orjson

from schemas.ids import node_execution_id
from streams.run_rows import row_due
from tests.streams.test_runner import CODE, NOW, RUN, START, Bench, edge, node

RETRY = {"retry_enabled": True, "max_retries": 1, "retry_interval": 5000, "backoff_factor": 2}
TRIED = {
    "nodes": [
        START,
        {**CODE, "data": {**CODE["data"], "attempt_timeout_s": 10, "retry_config": RETRY}},
        node("end", "end", outputs=[{"variable": "m", "value_selector": ["code", "m"]}]),
    ],
    "edges": [edge("start", "code"), edge("code", "end")],
}

Sent = dict[str, list[dict[str, Any]]]


def result(bench: Bench, attempt: int, now: float, status: str = "succeeded", **more: Any) -> Sent:
    execution_id = node_execution_id(RUN, "code", attempt=attempt)
    payload = {"node_execution_id": execution_id, "status": status, "outputs": {"m": attempt}, **more}
    return bench.tell(bench.command("NODE_RESULT", payload), now)


def due(bench: Bench) -> float:
    """When the row of the run wants attention, in seconds after the start."""
    at = row_due(RUN, bench.table[RUN])
    assert at is not None
    return round(at - NOW, 3)


def wake(bench: Bench, seconds: float) -> Sent:
    """What comes of telling the run so."""
    now = NOW + seconds
    return bench.tell(bench.command("TIMER", {}, issued_at=int(now * 1e6)), now)


def test_a_result_of_an_attempt_that_was_given_up_is_stale() -> None:
    bench = Bench(TRIED)
    [first] = bench.start()["node.tasks.default"]
    assert due(bench) == 310
    told = wake(bench, 310)
    assert [one["node_execution_ids"] for one in told["node.cancellations"]] == [[first["node_execution_id"]]]
    assert due(bench) == 315
    [second] = wake(bench, 315)["node.tasks.default"]
    assert (second["attempt"], due(bench)) == (2, 625)

    row = bench.table[RUN]
    sent = result(bench, 1, NOW + 316)
    assert not any(sent.values())
    assert bench.table[RUN] == row
    assert bench.outcomes[-1] == ("NODE_RESULT", "stale")

    [run] = result(bench, 2, NOW + 317)["runs"]
    assert orjson.loads(run["outputs"]) == {"m": 2}
    sent = result(bench, 2, NOW + 318)
    assert not any(sent.values())


def test_what_the_peer_asked_for_is_in_the_due_time_of_the_row() -> None:
    bench = Bench(TRIED)
    bench.start()
    result(bench, 1, NOW + 1, "failed", error="busy", status_code=429, retry_after_s=30)
    assert due(bench) == 31


def test_a_cancelled_run_sends_the_cancel_of_its_task_once() -> None:
    bench = Bench(TRIED)
    bench.start()
    sent = bench.tell(bench.command("CANCEL", {"reason": "by ada"}), NOW + 1)
    [told] = sent["node.cancellations"]
    assert told["node_execution_ids"] == [node_execution_id(RUN, "code")]
    sent = bench.tell(bench.command("CANCEL", {"reason": "by ada"}), NOW + 2)
    assert not any(sent.values())
