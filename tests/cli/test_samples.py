"""What the samples of `hopline up` say where their user has changed them."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

import cli.samples
from cli.errors import CommandFailed
from cli.samples import Installed, SampleRunner, load_samples
from tests.cli.api import CannedApi

SAMPLES = Path(__file__).parents[2] / "samples"
LOG = {"workflow_id": "wf-1", "workflow_run_id": None, "status": "STOPPED", "error": "the trigger is paused"}


async def finish(api: CannedApi, folder: Path, logs: list[dict[str, Any]]) -> str:
    """Why the event has no run."""
    api.says("GET /api/v1/trigger-logs", {"data": logs})
    _, sample = load_samples(SAMPLES)[0]
    async with aiohttp.ClientSession(api.url) as session:
        runner = SampleRunner(session, "", folder / "secrets")
        with pytest.raises(CommandFailed) as failed:
            await runner.finished(Installed(sample, folder, "wf-1"), "e-1")
    return failed.value.message


@pytest.mark.parametrize("workflow_id", ["wf-1", "", None])
async def test_an_event_that_starts_nothing_says_why(
    api: CannedApi, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, workflow_id: str | None
) -> None:
    monkeypatch.setattr(cli.samples, "_PATIENCE_S", 0.1)
    other = {**LOG, "workflow_id": "wf-2", "workflow_run_id": "r-2", "status": "SUCCESS", "error": None}
    said = await finish(api, elsewhere, [other, {**LOG, "workflow_id": workflow_id}])
    assert said == "the event e-1 started no run: the trigger is paused"


async def test_an_event_that_is_held_says_so(
    api: CannedApi, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.samples, "RUN_TIMEOUT_S", 0.2)
    api.refuses("GET /api/v1/runs/r-1", 404, "no run has the id r-1")
    held = {**LOG, "workflow_run_id": "r-1", "status": "PENDING", "error": None}
    assert "after 0.2 s, its trigger log is PENDING; the logs" in await finish(api, elsewhere, [held])
