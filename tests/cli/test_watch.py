"""`hopline run watch`: what is told, as lines."""

from typing import Any

import orjson
import pytest

from tests.cli.api import RUN_ID, CannedApi
from tests.cli.conftest import Hopline

RUN = {
    "id": RUN_ID, "workflow_id": "wf-1", "status": "RUNNING", "created_at": "2026-01-01T00:00:00Z",
    "finished_at": None, "elapsed_time": 0.0, "error": None,
}  # fmt: skip
NODE = {
    "id": "e1", "index": 1, "node_id": "n1", "predecessor_node_id": None, "title": "Order",
    "node_type": "code", "status": "succeeded", "created_at": "2026-01-01T00:00:00Z",
    "finished_at": "2026-01-01T00:00:01.5Z", "elapsed_time": 1.5, "error": None,
}  # fmt: skip


def block(number: int, name: str, data: dict[str, Any]) -> bytes:
    body = orjson.dumps({"event": name, "workflow_run_id": RUN_ID, "data": data}).decode()
    return f"event: {name}\nid: {number}\ndata: {body}\n\n".encode()


def ended(status: str, error: str | None = None) -> bytes:
    finished = {"finished_at": "2026-01-01T00:00:02Z", "elapsed_time": 2.0}
    return block(3, "workflow_finished", {**RUN, **finished, "status": status, "error": error})


BEGUN = b"retry: 10\n\n" + block(1, "workflow_started", RUN) + block(2, "node_finished", NODE)
EVENTS = f"GET /api/v1/runs/{RUN_ID}/events"


def test_a_run_is_followed_until_it_ends(hopline: Hopline, api: CannedApi) -> None:
    api.says(EVENTS, BEGUN + ended("SUCCEEDED"))
    result = hopline("run", "watch", RUN_ID)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"00:00:00Z  {RUN_ID}  wf-1  RUNNING",
        f"00:00:01.5Z  {RUN_ID}    Order  code  succeeded  1.50 s",
        f"00:00:02Z  {RUN_ID}  wf-1  SUCCEEDED  2.00 s",
    ]


def test_it_is_followed_further_where_the_connection_ends(hopline: Hopline, api: CannedApi) -> None:
    going = b"event: stream_ended\nretry: 10\ndata: {}\n\n" + b"id: 9\ndata: {"
    rest = [(200, BEGUN + going), (503, {"detail": "no room"}), (200, ended("FAILED", "no stock"))]
    api.answers[EVENTS] = rest
    result = hopline("run", "watch", RUN_ID, "--json")
    assert result.exit_code == 1
    assert "has ended FAILED: no stock" in result.stderr
    told = [orjson.loads(line)["event"] for line in result.stdout.splitlines()]
    assert told == ["workflow_started", "node_finished", "workflow_finished"]
    assert [seen.headers.get("Last-Event-ID") for seen in api.seen] == [None, "2", "2"]


def test_what_fits_is_followed(hopline: Hopline, api: CannedApi) -> None:
    api.answers["GET /api/v1/runs/events"] = [(200, BEGUN + ended("SUCCEEDED")), (400, {"detail": "enough"})]
    result = hopline("run", "watch", "--workflow", "order-review", "--status", "failed,stopped")
    assert result.exit_code == 1
    assert "enough" in result.stderr
    assert f"{RUN_ID}  order-review  SUCCEEDED" in result.stdout
    asked = next(seen for seen in api.seen if seen.path.endswith("/events"))
    assert asked.query == {"workflow_id": "wf-1", "status": "FAILED,STOPPED"}


@pytest.mark.parametrize("wrong", [(RUN_ID, "--status", "FAILED"), ("--since", "1h")])
def test_wrong_usage(hopline: Hopline, api: CannedApi, wrong: tuple[str, ...]) -> None:
    assert hopline("run", "watch", *wrong).exit_code == 2


def test_a_run_that_nobody_knows(hopline: Hopline, api: CannedApi) -> None:
    api.refuses(EVENTS, 404, f"no run has the id {RUN_ID}")
    result = hopline("run", "watch", RUN_ID)
    assert result.exit_code == 1
    assert "no run has the id" in result.stderr
