"""The samples that `hopline up` imports and fires: folders with a `sample.json`, see samples/README.md."""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp

from cli.environment import with_environment
from cli.errors import CommandFailed
from cli.sampling.deployment import Deployment, check
from cli.sampling.kinds import KINDS
from cli.sampling.sample import Installed, Sample
from cli.wait import is_whole

__all__ = ["Installed", "Sample", "SampleRunner", "load_samples", "missing"]

Json = dict[str, Any]

RUN_TIMEOUT_S = 60.0
_POLL_S, _SLOWER, _LONGEST_POLL_S = 0.05, 1.3, 1.0
"""The first pause, how each grows to the next, and the longest: each time the history is searched."""
_PATIENCE_S = 2.0
"""How long another log may come, where the first ones started nothing."""
_FINISHED = {"SUCCEEDED", "FAILED", "STOPPED", "PARTIAL_SUCCEEDED"}


def load_samples(directory: Path) -> list[tuple[Path, Sample]]:
    """Every folder with a `sample.json`, by name."""
    files = sorted(directory.glob("*/sample.json"))
    return [(file.parent, Sample.model_validate_json(file.read_text())) for file in files]


class SampleRunner:
    """A client of the API that installs samples, fires them and waits for their runs."""

    def __init__(self, session: aiohttp.ClientSession, receiver_url: str, remembered: Path) -> None:
        """`session` has the API as its base URL and the key in its headers. `remembered` is the file that
        keeps the secrets of the samples' triggers over restarts."""
        self._at = Deployment(session, remembered)
        self._receiver_url = receiver_url

    async def install(self, folder: Path, sample: Sample) -> Installed:
        """Imports and publishes the workflow and creates its trigger, where that has not been done."""
        content = self._document(folder, sample)
        query = {"app": sample.name, "publish": "true"}
        imported = await self._at.call("POST", "/api/v1/workflows/import", data=content, params=query)
        return await KINDS[sample.trigger.type].install(self._at, folder, sample, imported["workflow_id"])

    async def fire(self, installed: Installed) -> str:
        """Sends the event, or fires the latest time; returns its event_id once it is durable."""
        return await KINDS[installed.sample.trigger.type].fire(self._at, installed)

    async def finished(self, installed: Installed, event_id: str) -> tuple[Json, list[Json]]:
        """The finished run that the event started of the sample, and its node executions.

        Raises `CommandFailed`. Somebody may have given the workflow further triggers, which leave logs too.
        """
        deadline = time.monotonic() + RUN_TIMEOUT_S
        logs: list[Json] = []
        refused_at, pause_s = 0.0, _POLL_S
        while (now := time.monotonic()) < deadline:
            logs = await self._logs(installed, event_id)
            for log in logs:
                if log["workflow_run_id"] and (found := await self._whole(log["workflow_run_id"])):
                    return found
            if logs and all(log["workflow_run_id"] is None for log in logs):
                refused_at = refused_at or now
                if now - refused_at > _PATIENCE_S:
                    why = logs[0]["error"] or f"its trigger log is {logs[0]['status']}"
                    raise CommandFailed(f"the event {event_id} started no run: {why}")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * _SLOWER, _LONGEST_POLL_S)
        states = ", ".join(sorted({log["status"] for log in logs})) or "not there"
        raise CommandFailed(
            f"the event {event_id} has no finished run after {RUN_TIMEOUT_S:g} s, its trigger log is "
            f"{states}; the logs of the parts are in {self._at.remembered.parent / 'logs'}"
        )

    async def _logs(self, installed: Installed, event_id: str) -> list[Json]:
        """Of the sample. What no trigger has looked at is in a log of no workflow."""
        found = await self._at.call("GET", "/api/v1/trigger-logs", params={"event_id": event_id})
        return [log for log in found["data"] if log["workflow_id"] in (installed.workflow_id, "", None)]

    async def _whole(self, run_id: str) -> tuple[Json, list[Json]] | None:
        """The run and its nodes, once it has ended and the history has all of it."""
        run = await self._run(run_id)
        if run is None or run["status"] not in _FINISHED:
            return None
        nodes = (await self._at.call("GET", f"/api/v1/runs/{run_id}/nodes"))["data"]
        return (run, nodes) if is_whole(run, nodes) else None

    async def _run(self, run_id: str) -> Json | None:
        async with self._at.session.get(f"/api/v1/runs/{run_id}") as response:
            if response.status == 404:
                return None
            await check(response)
            found: Json = await response.json()
            return found

    def _document(self, folder: Path, sample: Sample) -> bytes:
        receiver = {sample.receiver.environment_variable: self._receiver_url} if sample.receiver else {}
        return with_environment((folder / sample.workflow).read_text(), receiver)


def missing(expected: Any, found: Any, path: str = "outputs") -> str | None:
    """None when `expected` is a subset of `found`, else where it is not."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if why := missing(value, found.get(key), f"{path}.{key}"):
                return why
        return None
    return None if expected == found else f"{path} is {found!r}, expected {expected!r}"
