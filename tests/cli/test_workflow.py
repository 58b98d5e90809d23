"""`hopline workflow`: what is sent, and what is shown."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cli.api import WORKFLOW, CannedApi
from tests.cli.conftest import Hopline

SAMPLES = Path(__file__).parents[2] / "samples"
IMPORTED = {
    "app_id": "a",
    "workflow_id": "wf-1",
    "name": "n",
    "mode": "workflow",
    "version": "v1",
    "created": True,
}


def test_list_is_tsv_when_piped(hopline: Hopline, api: CannedApi) -> None:
    rows = [line.split("\t") for line in hopline("workflow", "list").stdout.splitlines()]
    assert rows[0] == ["id", "name", "mode", "published_version", "updated_at"]
    assert rows[1][:2] == ["wf-1", "order-review"]


def test_list_json(hopline: Hopline, api: CannedApi) -> None:
    assert orjson.loads(hopline("workflow", "list", "--json").stdout) == [WORKFLOW]


def test_import_sends_the_file_as_it_is(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/workflows/import", IMPORTED, 201)
    file = SAMPLES / "order-review/workflow.yml"
    result = hopline("workflow", "import", str(file), "--app", "n", "--publish")
    assert (result.exit_code, result.stdout) == (0, "imported n, workflow wf-1, version v1\n")
    assert api.seen[0].query == {"app": "n", "publish": "true"}
    assert api.seen[0].headers["Content-Type"] == "application/yaml"
    assert api.seen[0].body == file.read_bytes()


def test_import_sets_environment_variables(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/workflows/import", IMPORTED)
    file = str(SAMPLES / "github-push-notify/workflow.yml")
    assert hopline("workflow", "import", file, "--env", "NOTIFY_URL=http://x/?a=b").exit_code == 0
    assert api.seen[0].json["workflow"]["environment_variables"][0]["value"] == "http://x/?a=b"
    unknown = hopline("workflow", "import", file, "--env", "OTHER=1")
    assert unknown.exit_code == 1
    assert "it has NOTIFY_URL" in unknown.stderr
    assert hopline("workflow", "import", file, "--env", "NOTIFY_URL").exit_code == 2


def test_what_a_foreign_file_is_called_does_not_steer_the_terminal(hopline: Hopline, api: CannedApi) -> None:
    file = str(SAMPLES / "order-review/workflow.yml")
    api.says("POST /api/v1/workflows/import", {**IMPORTED, "name": "n\x1b[2J\r\nimported x"})
    assert (
        hopline("workflow", "import", file).stdout
        == "imported n\ufffd[2J  imported x, workflow wf-1, version v1\n"
    )
    rows = [{"node": "a\x1b]0;t\x07", "field": "type", "why": "unknown"}]
    api.refuses("POST /api/v1/workflows/import", 422, "the definition has 1 problem(s)", errors=rows)
    told = "hopline: the definition has 1 problem(s)\n  node a\ufffd]0;t\ufffd, type: unknown\n"
    assert hopline("workflow", "import", file).stderr == told


@pytest.mark.parametrize("called", ["order-review", "wf-1", "app-1"])
def test_publish_by_name_or_id(hopline: Hopline, api: CannedApi, called: str) -> None:
    api.says("POST /api/v1/workflows/wf-1/publish", {**WORKFLOW, "version": "v2"}, 201)
    result = hopline("workflow", "publish", called, "--name", "spring")
    assert result.stdout == "published order-review as version v2\n"
    assert api.seen[-1].json == {"marked_name": "spring", "marked_comment": ""}


def test_unknown_and_ambiguous_names(hopline: Hopline, api: CannedApi) -> None:
    assert "no workflow is called 'x'" in hopline("workflow", "publish", "x").stderr
    api.says("GET /api/v1/workflows", {"data": [WORKFLOW, {**WORKFLOW, "id": "wf-2"}]})
    assert "wf-1, wf-2" in hopline("workflow", "publish", "order-review").stderr


def test_show_lists_nodes_and_versions(hopline: Hopline, api: CannedApi) -> None:
    node = {"id": "n1", "data": {"type": "start", "title": "Order"}}
    shown = {
        **WORKFLOW,
        "version": "v1",
        "marked_name": "",
        "created_by": None,
        "created_at": "t",
        "graph": {"nodes": [node]},
    }
    api.says("GET /api/v1/workflows/wf-1", shown)
    api.says("GET /api/v1/workflows/wf-1/versions", {"data": [{"version": "draft"}, {"version": "v1"}]})
    result = hopline("workflow", "show", "order-review", "--version", "v1")
    assert result.exit_code == 0
    assert "draft, v1" in result.stdout
    assert "n1\tstart\tOrder" in result.stdout


def test_export_to_stdout_and_to_a_file(hopline: Hopline, api: CannedApi, elsewhere: Path) -> None:
    api.says("GET /api/v1/workflows/wf-1/export", "kind: app\nname: Ü\n".encode())
    assert hopline("workflow", "export", "order-review").stdout == "kind: app\nname: Ü\n"
    assert hopline("workflow", "export", "order-review", "-o", "out.yml").exit_code == 0
    assert (elsewhere / "out.yml").read_text() == "kind: app\nname: Ü\n"
    assert hopline("workflow", "export", "order-review", "-o", "no/such/dir.yml").exit_code == 1


EXECUTION = {
    "id": "e1", "node_type": "human-input", "title": "Ask", "inputs": {}, "process_data": None,
    "outputs": None, "error": None, "elapsed_time": 0.25,
}  # fmt: skip


def stepping(api: CannedApi, **execution: Any) -> None:
    """The API runs the node `ask` alone."""
    api.says("POST /api/v1/workflows/wf-1/draft/nodes/ask/run", {"node_execution_id": "e1"}, 202)
    api.says("GET /api/v1/node-executions/e1", {**EXECUTION, **execution})


def test_step_shows_what_one_node_did(hopline: Hopline, api: CannedApi) -> None:
    stepping(api, status="succeeded", outputs={"x": 1})
    result = hopline("workflow", "step", "order-review", "ask", "-i", "start.q=Ada", "--inputs", '{"a.b": 2}')
    assert result.exit_code == 0
    assert "250 ms" in result.stdout
    posted = next(seen for seen in api.seen if seen.path.endswith("/run"))
    assert posted.json == {"inputs": {"start.q": "Ada", "a.b": 2}}
    stepping(api, status="failed", error="no")
    failed = hopline("workflow", "step", "order-review", "ask")
    assert (failed.exit_code, failed.stderr) == (1, "hopline: node ask has ended failed\n")


def test_step_shows_what_a_node_asks_and_how_to_answer(hopline: Hopline, api: CannedApi) -> None:
    asked = {
        "node_id": "ask", "node_title": "Ask", "message": "Fine?", "inputs_schema": {},
        "actions": [{"id": "yes", "title": "Yes"}],
    }  # fmt: skip
    pause = {"id": "e1", "pause_expires_at": 1_800_000_000, "pause_metadata": asked}
    stepping(api, status="paused", execution_metadata={"pause": pause})
    result = hopline("workflow", "step", "order-review", "ask")
    assert result.exit_code == 0
    assert "waits at Ask until 2027-01-15 08:00:00 UTC, pause e1\n  | Fine?\n" in result.stdout
    assert result.stdout.endswith("answer with: hopline run resume e1\n")
    api.refuses("GET /api/v1/runs/e1", 404, "no run has the id e1")
    api.says("POST /api/v1/node-executions/e1/resume", {"workflow_run_id": "s", "pause_id": "e1"}, 202)
    answered = hopline("run", "resume", "e1", "--action", "yes")
    assert (answered.exit_code, answered.stdout) == (0, "e1\n")
    assert api.seen[-1].json == {"inputs": {}, "action": "yes"}
    stepping(api, status="succeeded", execution_metadata={"pause": pause}, outputs={"__action_id": "yes"})
    assert "__action_id" in hopline("run", "resume", "e1", "--action", "yes", "--wait").stdout


def test_what_is_neither_a_run_nor_a_node_cannot_be_answered(hopline: Hopline, api: CannedApi) -> None:
    api.refuses("GET /api/v1/runs/x", 404, "no run has the id x")
    api.refuses("GET /api/v1/node-executions/x", 404, "no node execution has the id x")
    result = hopline("run", "resume", "x")
    assert result.exit_code == 1
    assert "no run has the id x" in result.stderr
