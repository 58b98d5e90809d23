"""What finding the triggers of one event costs among 100,000: `python -m bench.routing`.

No broker: the definitions are applied as the feed applies them, then each event is routed as the first stage
routes it, from the look-up by (tenant, type, index key) to the filters of every trigger that was found.
"""

import argparse
import gc
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.ids import endpoint_id, entity_id
from schemas.models import AppTrigger, Workflow, WorkflowType
from streams.route import Arrival, find_routes
from transport.definitions import TRIGGERS, WORKFLOWS, Definitions

Json = dict[str, Any]
Times = list[tuple[float, int]]
"""(µs, triggers looked at) of each event."""

_WORKFLOWS = 2_000
_REPOSITORIES = 400
"""And channels and subscriptions, of each tenant: several triggers share one."""
_BROAD = 0.005
"""Part of the triggers of GitHub and Slack that look at everything of their tenant."""
_VERSION = "2026-01-01 00:00:00.000000"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trigger: what part of all it is, a config, and an event that such a trigger looks at."""

    share: float
    config: Callable[[random.Random], Json]
    data: Callable[[Json, random.Random], Json]


def _webhook(_: random.Random) -> Json:
    return {"webhook_id": endpoint_id()}


def _schedule(chance: random.Random) -> Json:
    return {"cron": f"{chance.randrange(60)} * * * *"}


def _github(chance: random.Random) -> Json:
    repository = "" if chance.random() < _BROAD else f"octo/repo-{chance.randrange(_REPOSITORIES)}"
    push = {"branches": [f"release/{chance.randrange(5)}.*", "main"], "paths": ["src/**", "!**/*.md"]}
    return {"repository": repository, "event_config": {"push": push, "issues": {"actions": ["opened"]}}}


def _slack(chance: random.Random) -> Json:
    workspace = "" if chance.random() < _BROAD else f"T{chance.randrange(_REPOSITORIES)}"
    return {
        "workspace_id": workspace,
        "channels": ["C1", f"C{chance.randrange(9)}"],
        "event_types": ["message"],
    }


def _plugin(chance: random.Random) -> Json:
    return {
        "subscription_id": f"s-{chance.randrange(_REPOSITORIES)}",
        "event_types": ["invoice.*", "charge.paid"],
    }


def _request(_: Json, chance: random.Random) -> Json:
    return {"method": "POST", "headers": {}, "query": {}, "body": {"n": chance.random()}, "metadata": {}}


def _push(config: Json, _: random.Random) -> Json:
    repository = config["repository"] or "octo/repo-0"
    commit = {"added": ["src/a.py"], "modified": ["README.md"], "removed": []}
    delivery = {"event": "push", "connection": "", "repository": repository, "owner": "octo"}
    body = {"ref": "refs/heads/main", "commits": [commit], "repository": {"full_name": repository}}
    return {"delivery": {**delivery, "installation_id": ""}, "body": body, "headers": {}, "metadata": {}}


def _message(_: Json, __: random.Random) -> Json:
    said = {"event": "message", "subtype": "", "channel_type": "channel", "channel": "C1", "user": "U1",
            "command": "", "connection": "", "is_bot": False, "bot_user_id": "", "text": "hello",
            "ts": "1.1", "thread_ts": ""}  # fmt: skip
    return {"delivery": said, "body": {"event": {"text": "hello"}}, "metadata": {}}


def _invoice(_: Json, __: random.Random) -> Json:
    return {"headers": {}, "body": {"id": "in_1"}, "metadata": {"event_type": "invoice.paid"}}


_KINDS = {
    "WEBHOOK": Kind(0.4, _webhook, _request),
    "SCHEDULE": Kind(0.2, _schedule, lambda _, __: {"metadata": {}}),
    "GITHUB": Kind(0.2, _github, _push),
    "SLACK": Kind(0.1, _slack, _message),
    "PLUGIN": Kind(0.1, _plugin, _invoice),
}


def deployed(number: int, tenants: int, chance: random.Random) -> tuple[Definitions, list[AppTrigger]]:
    """So many triggers of all kinds, evenly over the tenants, on published workflows."""
    definitions, triggers = Definitions(), []
    ids = [entity_id("bench-tenant", str(n)) for n in range(tenants)]
    for n in range(_WORKFLOWS):
        workflow = Workflow(
            id=f"w{n}", tenant_id=ids[n % tenants], app_id=f"a{n}", type=WorkflowType.WORKFLOW,
            version=_VERSION, graph={"nodes": [], "edges": []},
        )  # fmt: skip
        definitions.apply(WORKFLOWS, workflow.key, workflow)
    kinds = chance.choices(list(_KINDS), [kind.share for kind in _KINDS.values()], k=number)
    for offset, name in enumerate(kinds):
        workflow_number = chance.randrange(_WORKFLOWS)
        trigger = AppTrigger(
            id=f"t{offset}", tenant_id=ids[workflow_number % tenants], app_id=f"a{workflow_number}",
            workflow_id=f"w{workflow_number}", type=name, config=_KINDS[name].config(chance),
        )  # fmt: skip
        definitions.apply(TRIGGERS, trigger.key, trigger, offset)
        triggers.append(trigger)
    return definitions, triggers


def event_for(trigger: AppTrigger, chance: random.Random) -> Arrival:
    """One that the trigger looks at."""
    data = _KINDS[trigger.type].data(trigger.config, chance)
    # What looks at everything looks at a repository, or workspace, that others look at as well.
    everything = {"GITHUB": "octo/repo-0", "SLACK": "T0"}
    index_key = trigger.settings.index_key(trigger.id) or everything[trigger.type]
    event = {"tenant_id": trigger.tenant_id, "trigger_type": trigger.type, "index_key": index_key}
    return Arrival(event, data, "trigger.events/0/0")


def measure(definitions: Definitions, wanted: list[tuple[AppTrigger, Arrival]]) -> dict[str, Times]:
    """By kind of event. Raises `LookupError` if one has missed its trigger."""
    taken: dict[str, Times] = {name: [] for name in _KINDS}
    for trigger, arrival in wanted:
        # Of the thread: what else the machine does would be most of what a wall clock shows.
        before = time.thread_time_ns()
        routes = find_routes(arrival, definitions)
        elapsed_us = (time.thread_time_ns() - before) / 1000
        if all(route.trigger is None or route.trigger.id != trigger.id for route in routes):
            raise LookupError(f"an event for {trigger.id} of type {trigger.type} did not find it")
        taken[trigger.type].append((elapsed_us, len(routes)))
    return taken


def _line(name: str, found: Times) -> str:
    times = sorted(elapsed for elapsed, _ in found)
    looked_at = statistics.fmean(count for _, count in found)
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    mean = statistics.fmean(times)
    return f"{name:<10}{len(times):>8,}{mean:>10.1f}{p50:>10.1f}{p99:>10.1f}{looked_at:>12.1f}"


def _main(number: int, tenants: int, events: int, seed: int) -> None:
    chance = random.Random(seed)
    definitions, triggers = deployed(number, tenants, chance)
    wanted = [(one, event_for(one, chance)) for one in chance.choices(triggers, k=events)]
    gc.freeze()
    # Patterns of filters are compiled when they are first needed.
    measure(definitions, wanted)
    taken = measure(definitions, wanted)
    print(f"{number:,} triggers of {tenants} tenant(s); CPU time of one event in µs")
    print(f"{'':<10}{'events':>8}{'mean':>10}{'p50':>10}{'p99':>10}{'looked at':>12}")
    for name, found in taken.items():
        print(_line(name, found))
    print(_line("all", [one for found in taken.values() for one in found]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--triggers", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    _main(given.triggers, given.tenants, given.events, given.seed)
