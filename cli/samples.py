"""The samples that `hopline up` imports and fires: folders with a `sample.json`, see samples/README.md."""

import asyncio
import json
import time
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import aiohttp
from pydantic import BaseModel, ConfigDict, Field

from cli.environment import with_environment
from cli.errors import CommandFailed
from cli.signing import new_secret, signed_headers
from schemas.ids import dedup_key, new_id, now_us, schedule_event_id, schedule_id
from schemas.triggers.schedule import ScheduleConfig, from_us
from schemas.triggers.signature import SignatureConfig

RUN_TIMEOUT_S = 60.0
_POLL_S = 0.05
_WEEK_US = 7 * 24 * 3_600_000_000
_FINISHED = {"SUCCEEDED", "FAILED", "STOPPED", "PARTIAL_SUCCEEDED"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SampleTrigger(_Part):
    """How the sample is started."""

    type: Literal["WEBHOOK", "MANUAL", "SCHEDULE"]
    config: dict[str, Any] = Field(default_factory=dict)


class SampleEvent(_Part):
    """The one event that is fired: a request, or the inputs of a manual start. Nothing for a schedule."""

    method: str = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    inputs: dict[str, Any] = Field(default_factory=dict)


class SampleReceiver(_Part):
    """The workflow posts to a receiver, whose URL goes into this environment variable."""

    environment_variable: str


class SampleEnd(_Part):
    """What the run must end with; outputs and received are subsets."""

    status: str
    outputs: dict[str, Any] = Field(default_factory=dict)
    received: dict[str, Any] = Field(default_factory=dict)


class Sample(_Part):
    """A `sample.json`."""

    name: str
    workflow: str
    trigger: SampleTrigger
    event: SampleEvent
    receiver: SampleReceiver | None = None
    expect: SampleEnd


@dataclass(frozen=True)
class Installed:
    """A sample in the deployment, ready to be fired."""

    sample: Sample
    folder: Path
    workflow_id: str
    url: str = ""
    secret: str = ""
    trigger_id: str = ""
    """Of a schedule."""


def load_samples(directory: Path) -> list[tuple[Path, Sample]]:
    """Every folder with a `sample.json`, by name."""
    files = sorted(directory.glob("*/sample.json"))
    return [(file.parent, Sample.model_validate_json(file.read_text())) for file in files]


class SampleRunner:
    """A client of the API that installs samples, fires them and waits for their runs."""

    def __init__(self, session: aiohttp.ClientSession, receiver_url: str, remembered: Path) -> None:
        """`session` has the API as its base URL and the key in its headers. `remembered` is the file that
        keeps the secrets of the samples' triggers over restarts."""
        self._session = session
        self._receiver_url = receiver_url
        self._remembered = remembered

    async def install(self, folder: Path, sample: Sample) -> Installed:
        """Imports and publishes the workflow and creates its trigger, where that has not been done."""
        content = self._document(folder, sample)
        query = {"app": sample.name, "publish": "true"}
        imported = await self._call("POST", "/api/v1/workflows/import", data=content, params=query)
        workflow_id = imported["workflow_id"]
        if sample.trigger.type == "MANUAL":
            return Installed(sample, folder, workflow_id)
        if sample.trigger.type == "SCHEDULE":
            wanted = {"type": "SCHEDULE", "workflow_id": workflow_id, "name": sample.name}
            trigger = await self._call(
                "POST", "/api/v1/triggers", json={**wanted, "config": sample.trigger.config}
            )
            return Installed(sample, folder, workflow_id, trigger_id=trigger["id"])
        url, secret = await self._trigger(sample, workflow_id)
        return Installed(sample, folder, workflow_id, url, secret)

    async def fire(self, installed: Installed) -> str:
        """Sends the event, or fires the latest time; returns its event_id once it is durable."""
        if installed.sample.trigger.type == "SCHEDULE":
            return await self._fire_latest(installed)
        if installed.sample.trigger.type == "MANUAL":
            path = f"/api/v1/triggers/workflows/{installed.workflow_id}/manual"
            answer = await self._call("POST", path, json={"inputs": installed.sample.event.inputs})
        else:
            event = installed.sample.event
            body = (installed.folder / event.body).read_bytes() if event.body else b""
            headers = {**event.headers, **_signature(installed, body)}
            answer = await self._call(event.method, installed.url, data=body, headers=headers)
        return str(answer["event_id"])

    async def _fire_latest(self, installed: Installed) -> str:
        """Its latest time, as a backfill: the next one may be days away."""
        config, trigger_id = (
            ScheduleConfig.model_validate(installed.sample.trigger.config),
            installed.trigger_id,
        )
        now, backfill_id = now_us(), new_id()
        *_, latest = takewhile(lambda at: at <= now, config.times(now - _WEEK_US))
        at = from_us(latest).isoformat()
        body = {"start": at, "end": at, "backfill_id": backfill_id}
        await self._call("POST", f"/api/v1/triggers/{trigger_id}/backfill", json=body)
        fired = schedule_id(trigger_id, latest // 1000, backfill_id)
        return schedule_event_id(dedup_key("SCHEDULE", trigger_id, fired))

    async def finished(self, event_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The finished run that the event started, and its node executions. Raises `CommandFailed`."""
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while time.monotonic() < deadline:
            logs = await self._call("GET", "/api/v1/trigger-logs", params={"event_id": event_id})
            for log in logs["data"]:
                if log["workflow_run_id"] is None:
                    raise CommandFailed(f"the event {event_id} started no run: {log['error']}")
                run = await self._run(log["workflow_run_id"])
                if run is not None and run["status"] in _FINISHED:
                    nodes = await self._call("GET", f"/api/v1/runs/{run['id']}/nodes")
                    return run, nodes["data"]
            await asyncio.sleep(_POLL_S)
        raise CommandFailed(
            f"the event {event_id} has no finished run after {RUN_TIMEOUT_S:g} s; the logs of the parts are "
            f"in {self._remembered.parent / 'logs'}"
        )

    async def _run(self, run_id: str) -> dict[str, Any] | None:
        async with self._session.get(f"/api/v1/runs/{run_id}") as response:
            return None if response.status == 404 else await _checked(response)

    async def _call(self, method: str, url: str, **request: Any) -> Any:
        async with self._session.request(method, url, **request) as response:
            return await _checked(response)

    def _document(self, folder: Path, sample: Sample) -> bytes:
        receiver = {sample.receiver.environment_variable: self._receiver_url} if sample.receiver else {}
        return with_environment((folder / sample.workflow).read_text(), receiver)

    async def _trigger(self, sample: Sample, workflow_id: str) -> tuple[str, str]:
        """(URL, secret) of the sample's trigger, a new one where its secret is not known any more."""
        known = json.loads(self._remembered.read_text()) if self._remembered.exists() else {}
        listed = await self._call("GET", "/api/v1/triggers", params={"workflow_id": workflow_id})
        for trigger in listed["data"]:
            if trigger["id"] in known:
                return trigger["url"], known[trigger["id"]]
        config, secret = dict(sample.trigger.config), ""
        if signature := config.get("signature"):
            secret = new_secret(signature["scheme"])
            config["signature"] = {**signature, "secrets": [secret]}
        wanted = {"type": "WEBHOOK", "workflow_id": workflow_id, "name": sample.name, "config": config}
        created = await self._call("POST", "/api/v1/triggers", json=wanted)
        self._remembered.touch(mode=0o600)
        self._remembered.write_text(json.dumps({**known, created["id"]: secret}))
        return created["url"], secret


def missing(expected: Any, found: Any, path: str = "outputs") -> str | None:
    """None when `expected` is a subset of `found`, else where it is not."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if why := missing(value, found.get(key), f"{path}.{key}"):
                return why
        return None
    return None if expected == found else f"{path} is {found!r}, expected {expected!r}"


async def _checked(response: aiohttp.ClientResponse) -> Any:
    if response.status >= 400:
        raise CommandFailed(f"{response.method} {response.url.path} answered {await response.text()}")
    return await response.json()


def _signature(installed: Installed, body: bytes) -> dict[str, str]:
    """A delivery id and, where the trigger wants one, the signature, as the producer would send them."""
    signature = installed.sample.trigger.config.get("signature")
    if signature is None:
        return {"Idempotency-Key": new_id()}
    config = SignatureConfig.model_validate({**signature, "secrets": [installed.secret]})
    return signed_headers(config, installed.secret, body, delivery_id=new_id(), at_s=time.time())
