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

__all__ = ["Installed", "Sample", "SampleRunner", "load_samples", "missing"]

RUN_TIMEOUT_S = 60.0
_POLL_S = 0.05
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

    async def finished(self, event_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The finished run that the event started, and its node executions. Raises `CommandFailed`."""
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while time.monotonic() < deadline:
            logs = await self._at.call("GET", "/api/v1/trigger-logs", params={"event_id": event_id})
            for log in logs["data"]:
                if log["workflow_run_id"] is None:
                    raise CommandFailed(f"the event {event_id} started no run: {log['error']}")
                run = await self._run(log["workflow_run_id"])
                if run is not None and run["status"] in _FINISHED:
                    nodes = await self._at.call("GET", f"/api/v1/runs/{run['id']}/nodes")
                    return run, nodes["data"]
            await asyncio.sleep(_POLL_S)
        raise CommandFailed(
            f"the event {event_id} has no finished run after {RUN_TIMEOUT_S:g} s; the logs of the parts are "
            f"in {self._at.remembered.parent / 'logs'}"
        )

    async def _run(self, run_id: str) -> dict[str, Any] | None:
        async with self._at.session.get(f"/api/v1/runs/{run_id}") as response:
            if response.status == 404:
                return None
            await check(response)
            found: dict[str, Any] = await response.json()
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
