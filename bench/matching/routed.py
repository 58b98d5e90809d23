"""The runs that there are: each event through its kind and through the first stage, without a broker."""

import hmac
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import orjson

from bench.matching.happening import Happening, Json
from bench.matching.reference import Run
from bench.matching.world import World
from schemas.codec import SingleObjectCodec
from schemas.ids import dedup_key
from schemas.triggers.accounts import Account
from schemas.triggers.cloudevents import receive_cloudevents
from schemas.triggers.delivery import Delivery, Received
from schemas.triggers.github import receive_github
from schemas.triggers.signatures import GitHubVerifier, SlackVerifier
from schemas.triggers.slack_requests import receive_slack
from streams.offload import Offload
from streams.router import Router
from streams.shell.stage import Kept, Record
from transport.definitions import TRIGGERS, WORKFLOWS, Definitions
from transport.feed import DefinitionsFeed

_SECRET = b"a secret of the bench"
_WINDOW_MS = {"named": 86_400_000, "unnamed": 30_000}
_CODEC = SingleObjectCodec()


class Feed:
    """Definitions that have been read to their end."""

    def __init__(self, world: World) -> None:
        self.definitions = Definitions()
        for workflow in world.workflows:
            self.definitions.apply(WORKFLOWS, workflow.key, workflow)
        for trigger in world.triggers:
            self.definitions.apply(TRIGGERS, trigger.key, trigger)

    def offset(self, _: str) -> int:
        """Nothing is ahead."""
        return 0


class Started:
    """Runs as they begin."""

    def __init__(self) -> None:
        self.runs: set[Run] = set()
        self.run_ids: set[str] = set()
        self.outcomes: dict[str, int] = {}

    def count(self, outcome: str) -> None:
        """Of an event."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


def routed_runs(world: World) -> Started:
    """All of them. Raises `AssertionError` for an event that its kind does not make one event of."""
    started, kept = Started(), dict[str, bytes]()
    router = Router(cast(DefinitionsFeed, Feed(world)), _CODEC, started.count, Offload(), lambda *_: None)
    for number, it in enumerate(world.happenings):
        value = _CODEC.encode("TriggerEvent", _event(number, it))
        record = Record("trigger.events", 0, number, b"", value, [], it.at_us // 1000)
        decision = router.decide(record, cast(Kept, kept), it.at_us / 1e6)
        for key, row in decision.writes.items():
            assert row is not None, "nothing is forgotten here"
            kept[key] = row
        for send in decision.sends:
            if send.topic == "run.commands":
                command = _CODEC.decode("RunCommand", send.value)
                log = command["trigger_log"]
                started.runs.add((int(log["event_id"]), log["app_trigger_id"] or command["workflow_id"]))
                started.run_ids.add(command["workflow_run_id"])
    return started


def _event(number: int, it: Happening) -> Json:
    """The TriggerEvent that a door accepts."""
    index_key, scope, name, window_ms, data = next(_KINDS[it.kind](it))
    return {
        "event_id": str(number),
        "trigger_id": name,
        "dedup_key": dedup_key(it.kind, scope, name),
        "dedup_window_ms": window_ms,
        "tenant_id": it.tenant_id,
        "trigger_type": it.kind,
        "index_key": index_key,
        "received_at": it.at_us,
        "data": orjson.dumps(data).decode(),
    }


_Parts = tuple[str, str, str, int, Mapping[str, Any]]
"""Index key, scope, name, window in milliseconds, data."""


def _github(it: Happening) -> Iterator[_Parts]:
    body = orjson.dumps(it.body)
    signature = f"sha256={hmac.digest(_SECRET, body, 'sha256').hex()}"
    headers = {**it.headers, "X-GitHub-Delivery": it.name or "", "X-Hub-Signature-256": signature}
    account = Account(it.tenant_id, "main", GitHubVerifier((_SECRET,)))
    yield from _received(it, receive_github(_delivery(it, headers, body), [account]))


def _slack(it: Happening) -> Iterator[_Parts]:
    body, at = orjson.dumps({**it.body, "event_id": it.name}), str(it.at_us // 1_000_000)
    digest = hmac.digest(_SECRET, f"v0:{at}:".encode() + body, "sha256").hex()
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}
    account = Account(it.tenant_id, "main", SlackVerifier((_SECRET,)))
    yield from _received(it, receive_slack(_delivery(it, headers, body), lambda _: [account]))


def _cloudevents(it: Happening) -> Iterator[_Parts]:
    headers = {**it.headers, "ce-id": it.name or ""}
    yield from _received(it, receive_cloudevents(_delivery(it, headers, orjson.dumps(it.body)), it.tenant_id))


def _received(it: Happening, received: Received) -> Iterator[_Parts]:
    [event] = received.events
    scope = event.scope or f"{event.tenant_id}/{event.index_key}"
    window_ms = int(event.window_s * 1000) if event.window_s else _WINDOW_MS["named"]
    yield event.index_key, scope, str(event.delivery_id), window_ms, event.data


def _webhook(it: Happening) -> Iterator[_Parts]:
    data = {"type": "webhook", "body": it.body, "query": {}, "metadata": {}}
    name = it.name or orjson.dumps(it.body, option=orjson.OPT_SORT_KEYS).decode()
    yield it.address, it.address, name, _WINDOW_MS["named" if it.name else "unnamed"], data


def _inside(it: Happening) -> Iterator[_Parts]:
    """Schedules, and starts by hand."""
    data = {"type": it.kind.lower(), "body": it.body, "inputs": {}, "metadata": {}}
    yield it.address, it.address, it.name or "", _WINDOW_MS["named"], data


def _delivery(it: Happening, headers: Mapping[str, str], body: bytes) -> Delivery:
    return Delivery("POST", "/", headers, {}, body, it.at_us / 1e6)


_KINDS: dict[str, Callable[[Happening], Iterator[_Parts]]] = {
    "GITHUB": _github,
    "SLACK": _slack,
    "CLOUDEVENTS": _cloudevents,
    "WEBHOOK": _webhook,
    "SCHEDULE": _inside,
    "MANUAL": _inside,
}
