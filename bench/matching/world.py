"""A deployment made at random: tenants, workflows, triggers of mixed kinds, and what happens to them."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from bench.matching.happening import Happening, Json
from schemas.models import AppTrigger, AppTriggerStatus, DeploymentStatus, Workflow, WorkflowType

_TENANTS = 5
_WORKFLOWS = 60
"""Of each tenant; every twentieth has no published version."""
_REPOSITORIES = 150
_WORKSPACES = 40
_TYPES = 80
_VERSION = "2026-01-01 00:00:00.000000"
_GRAPH = {"nodes": [{"id": "s", "data": {"type": "start", "variables": []}}], "edges": []}
_BEGIN_US = 1_767_225_600_000_000
_SPAN_US = 6 * 86_400_000_000
"""Of all events: longer than any of them is remembered."""

BRANCHES = [
    "main",
    "dev",
    "release/1.0",
    "release/1.0/fix",
    "feature/a",
    "feature/a/b",
    "v2",
    "docs",
    "hot-fix",
]
TAGS = ["v1.0", "v1.10.2", "v2.0.0-alpha", "nightly"]
PATHS = ["README.md", "src/app.py", "src/lib/x.py", "docs/a.md", "docs/b/c.md", "web/page.jsx", "web/page.js"]
PATTERNS = [
    ["main"], ["release/**"], ["release/*"], ["*"], ["**"], ["feature/**", "!feature/a/b"],
    ["v[12]*", "main"], ["**", "!release/**", "release/1.0"], ["**/fix"], ["do?cs", "hot-fix"],
]  # fmt: skip
TAG_PATTERNS = [["v*"], ["v[0-9].[0-9]+"], ["**", "!*-alpha"], ["nightly"], ["v[12].[0-9]+.[0-9]+"]]
PATH_PATTERNS = [
    ["src/**"], ["**.md"], ["*.md", "!README.md"], ["**/*.jsx?"], ["docs/*"], ["docs/**/*.md"],
    ["**", "!src/**"],
]  # fmt: skip
AUTHORS = [r"^ada$", r"@corp\.example$", r"bot", r"^(ada|bo)$"]
PEOPLE = [("ada", "ada@corp.example"), ("bo", "bo@home.example"), ("ci-bot", "bot@ci.example")]
ACTIONS = ["opened", "closed", "reopened", "synchronize"]
EVENT_TYPES = [
    "message",
    "app_mention",
    "reaction_added",
    "message.message_changed",
    "message.channels",
    "message.im",
]
CONDITIONS: dict[str, Callable[[Json], bool]] = {
    "": lambda body: True,
    "event.body.n > 50": lambda body: body["n"] > 50,
    "has(event.body.urgent) && event.body.urgent": lambda body: body.get("urgent", False),
    "event.body.nowhere == 1": lambda body: False,
}
"""CEL -> what it says, in Python."""


class World:
    """Everything that is configured, and what then happens; the same for the same seed."""

    def __init__(self, triggers: int, events: int, seed: int) -> None:
        self._chance = random.Random(seed)
        self.tenants = [f"tenant-{n}" for n in range(_TENANTS)]
        self.workflows = list(self._workflows())
        self.triggers = [self._trigger(n) for n in range(triggers)]
        self.happenings = self._happenings(events)

    def _workflows(self) -> Iterator[Workflow]:
        for tenant in self.tenants:
            for number in range(_WORKFLOWS):
                version = "draft" if number % 20 == 19 else _VERSION
                name = f"{tenant}/flow-{number}"
                yield Workflow(
                    id=name,
                    tenant_id=tenant,
                    app_id=name,
                    type=WorkflowType.WORKFLOW,
                    version=version,
                    graph=_GRAPH,
                )

    def _trigger(self, number: int) -> AppTrigger:
        chance = self._chance
        [kind] = chance.choices(list(_CONFIGS), [share for share, _ in _CONFIGS.values()])
        config = _CONFIGS[kind][1](chance)
        if kind == "WEBHOOK":
            config["webhook_id"] = f"webhook-{number:020d}"
        config["condition"] = chance.choices(list(CONDITIONS), [12, 2, 2, 1])[0]
        workflow = chance.choice(self.workflows)
        return AppTrigger(
            id=f"trigger-{number}",
            tenant_id=workflow.tenant_id,
            app_id=workflow.app_id,
            workflow_id=workflow.id,
            type=kind,
            config={name: value for name, value in config.items() if value or isinstance(value, bool)},
            status=AppTriggerStatus.PAUSED if chance.random() < 0.05 else AppTriggerStatus.ACTIVE,
            deployment_status=(
                DeploymentStatus.UNDEPLOYED if chance.random() < 0.05 else DeploymentStatus.DEPLOYED
            ),
        )

    def _happenings(self, events: int) -> list[Happening]:
        """In the order of their times. One in ten is one of those before it, sent again."""
        chance = self._chance
        webhooks = [one for one in self.triggers if one.type == "WEBHOOK"]
        schedules = [one for one in self.triggers if one.type == "SCHEDULE"]
        times = sorted(_BEGIN_US + chance.randrange(_SPAN_US) for _ in range(events))
        made: list[Happening] = []
        for number, at_us in enumerate(times):
            if made and chance.random() < 0.1:
                earlier = chance.choice(made[-2000:])
                made.append(Happening(earlier.kind, earlier.tenant_id, at_us, earlier.name, earlier.body,
                                      earlier.headers, earlier.address))  # fmt: skip
                continue
            [kind] = chance.choices(list(_BODIES), [share for share, _ in _BODIES.values()])
            tenant, name, address = chance.choice(self.tenants), f"delivery-{number}", ""
            if kind in ("WEBHOOK", "SCHEDULE"):
                trigger = chance.choice(webhooks if kind == "WEBHOOK" else schedules)
                tenant = trigger.tenant_id
                address = trigger.config["webhook_id"] if kind == "WEBHOOK" else trigger.id
            elif kind == "MANUAL":
                workflow = chance.choice([one for one in self.workflows if one.version == _VERSION])
                tenant, address = workflow.tenant_id, workflow.id
            headers, body = _BODIES[kind][1](chance)
            body = {**body, "n": chance.randrange(100), **({"urgent": True} if chance.random() < 0.3 else {})}
            named = None if kind == "WEBHOOK" and chance.random() < 0.3 else name
            made.append(Happening(kind, tenant, at_us, named, body, headers, address))
        return made


def _maybe(chance: random.Random, share: float, value: Callable[[], Any], otherwise: Any = ()) -> Any:
    return value() if chance.random() < share else otherwise


def _repository(chance: random.Random) -> str:
    number = chance.randrange(_REPOSITORIES)
    return f"Org{number % 7}/repo-{number}"


def _github_config(chance: random.Random) -> Json:
    repository = _repository(chance)
    [scope] = chance.choices([repository, repository.partition("/")[0], ""], [96, 3, 1])
    return {
        "repository": scope.upper() if chance.random() < 0.2 else scope,
        "github_app_installation_id": _maybe(chance, 0.1, lambda: str(chance.randrange(1, 4)), ""),
        "event_config": {
            name: _github_filter(chance, name)
            for name in chance.sample(["push", "pull_request", "issues", "release"], chance.randrange(4))
        },
    }


def _github_filter(chance: random.Random, event: str) -> Json:
    wanted: Json = {}
    if event in ("push", "pull_request") and chance.random() < 0.5:
        wanted[chance.choice(["branches", "branches_ignore"])] = chance.choice(PATTERNS)
    if event in ("push", "release") and chance.random() < 0.3:
        wanted[chance.choice(["tags", "tags_ignore"])] = chance.choice(TAG_PATTERNS)
    if event == "push" and chance.random() < 0.4:
        wanted[chance.choice(["paths", "paths_ignore"])] = chance.choice(PATH_PATTERNS)
    if event != "push" and chance.random() < 0.4:
        wanted["actions"] = chance.sample(ACTIONS, chance.randrange(1, 3))
    if chance.random() < 0.2:
        wanted["authors"] = chance.sample(AUTHORS, 1)
    return wanted


def _github_body(chance: random.Random) -> tuple[dict[str, str], Json]:
    event, repository = (
        chance.choice(["push", "push", "pull_request", "issues", "release"]),
        _repository(chance),
    )
    body: Json = {"repository": {"full_name": repository}, "action": chance.choice(ACTIONS)}
    if chance.random() < 0.5:
        body["installation"] = {"id": chance.randrange(1, 4)}
    login, email = chance.choice(PEOPLE)
    if event == "push":
        is_tag = chance.random() < 0.2
        body["ref"] = (
            f"refs/tags/{chance.choice(TAGS)}" if is_tag else f"refs/heads/{chance.choice(BRANCHES)}"
        )
        changes = [chance.sample(PATHS, chance.randrange(3)) for _ in range(3)]
        author = {"username": login, "email": email}
        body["commits"] = [dict(zip(("added", "modified", "removed"), changes, strict=True), author=author)]
    elif event == "release":
        body["release"] = {"tag_name": chance.choice(TAGS), "author": {"login": login}}
    else:
        part = {"user": {"login": login}, "base": {"ref": chance.choice(BRANCHES)}}
        body["pull_request" if event == "pull_request" else "issue"] = part
    return {"X-GitHub-Event": event}, body


def _slack_config(chance: random.Random) -> Json:
    channels = [f"C{n}" for n in range(8)]
    return {
        "workspace_id": _maybe(chance, 0.95, lambda: f"T{chance.randrange(_WORKSPACES)}", ""),
        "channels": _maybe(chance, 0.5, lambda: chance.sample(channels, 3)),
        "event_types": _maybe(chance, 0.7, lambda: chance.sample(EVENT_TYPES, 2)),
        "users": _maybe(chance, 0.3, lambda: ["U1", "U2"]),
        "mention_required": chance.random() < 0.2,
        "ignore_bots": chance.random() < 0.8,
        "thread": chance.choices(["any", "required", "excluded"], [8, 1, 1])[0],
    }


def _slack_body(chance: random.Random) -> tuple[dict[str, str], Json]:
    kind = chance.choice(["message", "message", "app_mention", "reaction_added"])
    event: Json = {"type": kind, "user": f"U{chance.randrange(5)}"}
    channel = f"C{chance.randrange(8)}"
    if kind == "reaction_added":
        event["item"] = {"channel": channel}
    else:
        event |= {
            "channel": channel,
            "ts": "2.0",
            "text": chance.choice(["hi", "<@UBOT> hi", "<@UBOT|app>", ""]),
        }
        event |= {"thread_ts": chance.choice(["1.0", "2.0"])} if chance.random() < 0.3 else {}
        event |= {"bot_id": "B1"} if chance.random() < 0.1 else {}
    if kind == "message":
        event["channel_type"] = chance.choice(["channel", "im", "group"])
        event |= {"subtype": chance.choice(["file_share", "channel_join"])} if chance.random() < 0.2 else {}
    team = f"T{chance.randrange(_WORKSPACES)}"
    return {}, {"type": "event_callback", "team_id": team, "event": event,
                "authorizations": [{"user_id": "UBOT", "is_bot": True}]}  # fmt: skip


def _cloudevents_config(chance: random.Random) -> Json:
    kind = f"com.example.type-{chance.randrange(_TYPES)}"
    filters: list[Json] = (
        [{"exact": {"type": kind}}] if chance.random() < 0.9 else [{"prefix": {"type": kind[:-1]}}]
    )
    if chance.random() < 0.5:
        filters.append(chance.choice([
            {"suffix": {"source": "/eu"}},
            {"not": {"exact": {"subject": "s-1"}}},
            {"any": [{"prefix": {"source": "/carts"}}, {"exact": {"subject": "s-2"}}]},
            {"all": [{"prefix": {"source": "/orders"}}, {"exact": {"priority": "3"}}]},
        ]))  # fmt: skip
    return {"filters": filters}


def _cloudevents_body(chance: random.Random) -> tuple[dict[str, str], Json]:
    headers = {
        "ce-specversion": "1.0",
        "ce-type": f"com.example.type-{chance.randrange(_TYPES)}",
        "ce-source": f"/{chance.choice(['orders', 'carts'])}/{chance.choice(['eu', 'us'])}",
        "Content-Type": "application/json",
    }
    if chance.random() < 0.7:
        headers["ce-subject"] = f"s-{chance.randrange(4)}"
    if chance.random() < 0.5:
        headers["ce-priority"] = str(chance.randrange(5))
    return headers, {}


def _nothing(_: random.Random) -> tuple[dict[str, str], Json]:
    return {}, {}


_CONFIGS: dict[str, tuple[float, Callable[[random.Random], Json]]] = {
    "GITHUB": (35, _github_config),
    "SLACK": (20, _slack_config),
    "CLOUDEVENTS": (20, _cloudevents_config),
    "WEBHOOK": (20, lambda _: {}),
    "SCHEDULE": (5, lambda _: {"interval_s": 3600}),
}
"""Kind -> its part of the triggers, and a config."""

_BODIES: dict[str, tuple[float, Callable[[random.Random], tuple[dict[str, str], Json]]]] = {
    "GITHUB": (40, _github_body),
    "SLACK": (25, _slack_body),
    "CLOUDEVENTS": (20, _cloudevents_body),
    "WEBHOOK": (10, _nothing),
    "SCHEDULE": (3, _nothing),
    "MANUAL": (2, _nothing),
}
"""Kind -> its part of the events, and headers and payload."""
