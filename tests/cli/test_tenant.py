"""`hopline tenant`: erasing what a deployment has of one."""

import orjson

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

ERASURE = {
    "id": "e1",
    "tenant_id": "acme",
    "status": "RUNNING",
    "reason": "",
    "step": "stopping runs",
    "before": None,
    "counts": {"definitions": 4},
    "error": None,
    "created_by": "bootstrap",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "finished_at": None,
}
DONE = {**ERASURE, "status": "COMPLETED", "step": "done", "counts": {"definitions": 4, "objects": 2}}


def test_it_is_asked_for_once_it_is_confirmed(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/erasures", ERASURE, 202)
    refused = hopline("tenant", "erase", "acme", stdin="n\n")
    assert refused.exit_code == 1
    assert api.seen == []
    result = hopline("tenant", "erase", "acme", "--reason", "contract ended", stdin="y\n")
    assert result.exit_code == 0
    assert "stopping runs" in result.stdout
    assert api.seen[0].json == {"tenant_id": "acme", "reason": "contract ended"}


def test_waiting_for_the_end(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/erasures", ERASURE, 202)
    api.says("GET /api/v1/erasures/e1", DONE)
    result = hopline("tenant", "erase", "acme", "--yes", "--wait", "--json")
    assert orjson.loads(result.stdout) == DONE


def test_that_there_was_nothing_of_a_tenant_is_said(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/erasures", {**ERASURE, "counts": {}}, 202)
    assert hopline("tenant", "erase", "acm", "--yes").stderr == ""
    api.says("GET /api/v1/erasures/e1", {**DONE, "counts": {}})
    result = hopline("tenant", "erase", "acm", "--yes", "--wait", "--json")
    assert (result.exit_code, orjson.loads(result.stdout)["counts"]) == (0, {})
    assert "there was nothing of tenant acme: is that its id?" in result.stderr
    api.says("GET /api/v1/erasures/e1", DONE)
    assert hopline("tenant", "erasure", "e1").stderr == ""


def test_requests_are_listed_and_shown(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/erasures", {"data": [DONE]})
    rows = [line.split("\t") for line in hopline("tenant", "erasures").stdout.splitlines()]
    assert rows[1][:5] == ["e1", "acme", "COMPLETED", "done", "2026-01-01 00:00:00Z"]
    api.says("GET /api/v1/erasures/e1", DONE)
    shown = hopline("tenant", "erasure", "e1").stdout
    assert "objects" in shown
    assert hopline("tenant", "erasures", "--json").stdout.startswith("[")
