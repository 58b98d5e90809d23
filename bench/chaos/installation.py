"""Brings the workflows and triggers of the suite into a deployment, through its public API."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.chaos.kinds import APPS, KINDS, Way
from cli.client import Client
from cli.environment import with_environment
from cli.errors import CommandFailed
from cli.settings import ClientSettings

WORKFLOWS = Path(__file__).with_name("workflows")
EVENT_TYPE = "com.example.chaos"
"""Of the CloudEvents; a dot and the name of the app follow."""
SCHEDULE_EVERY_S = (2, 5)
"""One schedule for each."""

_TICK, _QUEUED = "tick", "queued"
_THROTTLE = {"limit": 5, "period_s": 1, "burst": 5}
"""Lets all of the events pass in time, but not those that an outage has held up at once."""
_DAY_S = 86_400
_RETRY = {"max_retries": 3, "delay_s": 1, "max_delay_s": 5, "jitter": 0.1}
_PATIENCE_S = 60.0
_SLACK_S = 2.0
"""How long after it was created a schedule need not fire, and before it was paused."""


@dataclass(slots=True)
class Schedule:
    """One that fires while the suite runs."""

    trigger_id: str
    every_s: int
    since: float = field(default_factory=time.time)
    """Seconds since the epoch at which it was there."""
    until: float | None = None
    """When it began to be paused; None: not yet."""

    def times(self) -> range:
        """Those that must have fired, in seconds since the epoch, from which they count."""
        assert self.until is not None, "still going"
        first = int((self.since + _SLACK_S) // self.every_s + 1) * self.every_s
        return range(first, int(self.until - _SLACK_S) + 1, self.every_s)


@dataclass(slots=True)
class Installed:
    """What there is."""

    workflows: dict[str, str] = field(default_factory=dict)
    """Name of the app -> id."""
    paths: dict[tuple[str, Way], str] = field(default_factory=dict)
    """Of the webhooks: app and way -> path of the URL."""
    triggers: set[str] = field(default_factory=set)
    """Their ids."""
    github_path: str = ""
    github_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    schedules: list[Schedule] = field(default_factory=list)


def client(address: str, api_key: str) -> Client:
    """Of one ingress."""
    return Client(ClientSettings(url=address, api_key=api_key, timeout_s=120))


def install(at: Client, receiver_url: str) -> Installed:
    """All of it, through one ingress that answers. Blocks. Raises `CommandFailed`."""
    installed = Installed()
    for app, name in APPS.items():
        content = _document(WORKFLOWS / f"{name}.yml", receiver_url)
        imported = at.upload("workflows", "import", content=content, app=app, publish="true")
        installed.workflows[app] = imported["workflow_id"]
    at.put("workflows", installed.workflows[_QUEUED], "flow-control", body={"throttle": _THROTTLE})
    given = {"name": "chaos", "credentials": {"webhook_secret": installed.github_secret}}
    installed.github_path = urlsplit(at.post("github-connections", body=given)["path"]).path
    for app, way in sorted({(kind.app, kind.way) for kind in KINDS.values()}):
        _create(at, installed, app, way)
    for every_s in SCHEDULE_EVERY_S:
        config = {"interval_s": every_s, "catch_up": "all"}
        created = _trigger(at, installed.workflows[_TICK], "SCHEDULE", config)
        installed.schedules.append(Schedule(created["id"], every_s))
    return installed


async def until_known(clients: Sequence[Client], installed: Installed) -> None:
    """Until each ingress knows all of it. Raises `CommandFailed` where one is late."""
    deadline = time.monotonic() + _PATIENCE_S
    for at in clients:
        while not await asyncio.to_thread(_knows, at, installed):
            if time.monotonic() > deadline:
                raise CommandFailed(f"an ingress does not know what was installed within {_PATIENCE_S:g} s")
            await asyncio.sleep(0.2)


def _knows(at: Client, installed: Installed) -> bool:
    triggers = {one["id"] for one in at.get("triggers")["data"]}
    schedules = {schedule.trigger_id for schedule in installed.schedules}
    connections = {one["name"] for one in at.get("github-connections")["data"]}
    workflows = {one["id"] for one in at.get("workflows")["data"]}
    known = (installed.triggers | schedules) <= triggers and "chaos" in connections
    return known and set(installed.workflows.values()) <= workflows


def _document(file: Path, receiver_url: str) -> bytes:
    content = file.read_text()
    return with_environment(content, {"RECEIVER_URL": receiver_url} if "RECEIVER_URL" in content else {})


def _create(at: Client, installed: Installed, app: str, way: Way) -> None:
    if way is Way.MANUAL:
        return
    created = _trigger(at, installed.workflows[app], _TYPES.get(way, "WEBHOOK"), _config(app, way))
    installed.triggers.add(created["id"])
    if way not in _TYPES:
        installed.paths[app, way] = urlsplit(created["url"]).path


def _trigger(at: Client, workflow_id: str, kind: str, config: dict[str, Any]) -> Any:
    return at.post("triggers", body={"type": kind, "workflow_id": workflow_id, "config": config})


_DISPATCHED = {"order": ("event_id", "amount"), "fanout": ("event_id", "fate")}
"""Start variables of the apps that GitHub starts: its payload has them one level down."""
_TYPES = {Way.CLOUDEVENTS: "CLOUDEVENTS", Way.GITHUB: "GITHUB"}


def _config(app: str, way: Way) -> dict[str, Any]:
    match way:
        case Way.CONTENT:
            # A producer may repeat it for as long as the suite takes.
            return {"dedup_window_s": _DAY_S}
        case Way.RETRYING:
            return {"retry": _RETRY}
        case Way.CLOUDEVENTS:
            return {"filters": [{"exact": {"type": f"{EVENT_TYPE}.{app}"}}]}
        case Way.GITHUB:
            inputs = {name: f"body.client_payload.{name}" for name in _DISPATCHED[app]}
            wanted = {"repository_dispatch": {"actions": [app]}}
            return {"connection": "chaos", "event_config": wanted, "inputs": inputs}
    return {}
