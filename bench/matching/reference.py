"""The runs that there must be, by looking at every trigger of the tenant for every event.

Written from the documents of the kinds of triggers, without anything of the router, of its indexes or of the
models of the triggers: configs are read as they were given.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

from bench.matching.happening import Happening, Json
from bench.matching.world import CONDITIONS, World

Run = tuple[int, str]
"""(number of the event, id of the trigger; of a manual start that of the workflow)."""

_DAY_US = 86_400_000_000
_WINDOWS_US = {"GITHUB": 3 * _DAY_US}


def expected_runs(world: World) -> set[Run]:
    """Every one of them."""
    published = {one.id for one in world.workflows if one.version != "draft"}
    by_tenant: dict[tuple[str, str], list[tuple[str, Json]]] = defaultdict(list)
    for trigger in world.triggers:
        if (
            trigger.deployment_status == "DEPLOYED"
            and trigger.status == "ACTIVE"
            and trigger.workflow_id in published
        ):
            by_tenant[trigger.tenant_id, trigger.type].append((trigger.id, trigger.config))
    runs: set[Run] = set()
    for number in _new(world.happenings):
        it = world.happenings[number]
        if it.kind == "MANUAL":
            runs.add((number, it.address))
            continue
        matches = _MATCHES[it.kind]
        runs |= {
            (number, trigger_id)
            for trigger_id, config in by_tenant[it.tenant_id, it.kind]
            if matches(config, it, trigger_id) and CONDITIONS[config.get("condition", "")](it.body)
        }
    return runs


def _new(happenings: Iterable[Happening]) -> Iterator[int]:
    """Numbers of those that repeat none within its window, counted from the first."""
    seen: dict[object, int] = {}
    for number, it in enumerate(happenings):
        content = None if it.name else repr(sorted(it.body.items()))
        where = _endpoint(it)
        key = (it.kind, it.tenant_id, where, it.name, content)
        window_us = _WINDOWS_US.get(it.kind, _DAY_US) if it.name else 30_000_000
        if key in seen and it.at_us < seen[key] + window_us:
            continue
        seen[key] = it.at_us
        yield number


def _endpoint(it: Happening) -> str:
    """Within which its name is one."""
    if it.kind == "CLOUDEVENTS":
        return it.headers["ce-source"]
    if it.kind == "GITHUB":
        return str(it.body["repository"]["full_name"]).lower()
    return str(it.body["team_id"]) if it.kind == "SLACK" else it.address


def _webhook(config: Json, it: Happening, _: str) -> bool:
    return bool(config["webhook_id"] == it.address)


def _schedule(_: Json, it: Happening, trigger_id: str) -> bool:
    return trigger_id == it.address


def _github(config: Json, it: Happening, _: str) -> bool:
    body, event = it.body, it.headers["X-GitHub-Event"]
    wanted_repository = config.get("repository", "").lower()
    repository = body["repository"]["full_name"].lower()
    if wanted_repository not in ("", repository, repository.split("/")[0]):
        return False
    installation = config.get("github_app_installation_id")
    if installation and str(body.get("installation", {}).get("id")) != installation:
        return False
    events = config.get("event_config")
    if not events:
        return True
    if event not in events:
        return False
    wanted = events[event]
    if "actions" in wanted and body["action"] not in wanted["actions"]:
        return False
    return _ref_fits(wanted, event, body) and _paths_fit(wanted, body) and _author_fits(wanted, event, body)


def _ref_fits(wanted: Json, event: str, body: Json) -> bool:
    of_branches = [name for name in ("branches", "branches_ignore") if name in wanted]
    of_tags = [name for name in ("tags", "tags_ignore") if name in wanted]
    if not of_branches and not of_tags:
        return True
    if event == "release":
        is_tag, name = True, body["release"]["tag_name"]
    elif event == "pull_request":
        is_tag, name = False, body["pull_request"]["base"]["ref"]
    else:
        _, kind, name = body["ref"].split("/", 2)
        is_tag = kind == "tags"
    filters = of_tags if is_tag else of_branches
    if not filters:
        return False
    fits = _listed(tuple(wanted[filters[0]]), name)
    return not fits if filters[0].endswith("_ignore") else fits


def _paths_fit(wanted: Json, body: Json) -> bool:
    if not {"paths", "paths_ignore"} & wanted.keys() or body["ref"].startswith("refs/tags/"):
        return True
    [commit] = body["commits"]
    changed = commit["added"] + commit["modified"] + commit["removed"]
    if "paths" in wanted:
        return any(_listed(tuple(wanted["paths"]), path) for path in changed)
    return not all(_listed(tuple(wanted["paths_ignore"]), path) for path in changed)


def _author_fits(wanted: Json, event: str, body: Json) -> bool:
    if "authors" not in wanted:
        return True
    if event == "push":
        author = body["commits"][0]["author"]
        people = [author["username"], author["email"]]
    elif event == "release":
        people = [body["release"]["author"]["login"]]
    else:
        people = [body["pull_request" if event == "pull_request" else "issue"]["user"]["login"]]
    return any(re.search(one, person) for one in wanted["authors"] for person in people)


@cache
def _listed(patterns: tuple[str, ...], name: str) -> bool:
    """Order decides."""
    listed = False
    for pattern in patterns:
        if pattern.startswith("!"):
            listed = listed and not _fits(pattern[1:], name, True)
        else:
            listed = listed or _fits(pattern, name, True)
    return listed


def _fits(pattern: str, name: str, fresh: bool) -> bool:
    """By trying everything. `fresh`: a folder begins here."""
    if not pattern:
        return not name
    if pattern.startswith("**/") and fresh:
        begins = [0, *(i + 1 for i, sign in enumerate(name) if sign == "/")]
        return any(_fits(pattern[3:], name[i:], True) for i in begins)
    if pattern.startswith("**"):
        return any(_fits(pattern[2:], name[i:], False) for i in range(len(name) + 1))
    if pattern[0] == "*":
        return any(_fits(pattern[1:], name[i:], False) for i in range(len(name.split("/")[0]) + 1))
    one, rest = _first(pattern)
    is_one = bool(name) and name[0] in one
    if rest.startswith("?"):
        return _fits(rest[1:], name, False) or (is_one and _fits(rest[1:], name[1:], False))
    if rest.startswith("+"):
        return is_one and (_fits(pattern, name[1:], False) or _fits(rest[1:], name[1:], False))
    return is_one and _fits(rest, name[1:], one == "/")


def _first(pattern: str) -> tuple[str, str]:
    """(what the first element of a pattern stands for, the rest)."""
    if pattern[0] != "[":
        return pattern[0], pattern[1:]
    inside, _, rest = pattern[1:].partition("]")
    for first, last in re.findall("(.)-(.)", inside):
        inside += "".join(map(chr, range(ord(first), ord(last) + 1)))
    return inside, rest


def _slack(config: Json, it: Happening, _: str) -> bool:
    event = it.body["event"]
    if config.get("workspace_id", it.body["team_id"]) != it.body["team_id"]:
        return False
    channel = event.get("channel") or event.get("item", {}).get("channel")
    if "channels" in config and channel not in config["channels"]:
        return False
    if "event_types" in config and not set(_slack_names(event)) & set(config["event_types"]):
        return False
    if "users" in config and event["user"] not in config["users"]:
        return False
    if config["ignore_bots"] and "bot_id" in event:
        return False
    mentioned = event["type"] == "app_mention" or re.search(r"<@UBOT[>|]", event.get("text", ""))
    if config["mention_required"] and not mentioned:
        return False
    in_thread = event.get("thread_ts") is not None and event["thread_ts"] != event["ts"]
    return {"any": True, "required": in_thread, "excluded": not in_thread}[config["thread"]]


def _slack_names(event: Json) -> Iterator[str]:
    if event["type"] != "message":
        yield event["type"]
        return
    subtype = event.get("subtype")
    if subtype:
        yield f"message.{subtype}"
    if subtype in (None, "file_share"):
        yield "message"
        yield {"channel": "message.channels", "im": "message.im", "group": "message.groups"}[
            event["channel_type"]
        ]


def _cloudevents(config: Json, it: Happening, _: str) -> bool:
    attributes = {name[3:]: value for name, value in it.headers.items() if name.startswith("ce-")}
    return all(_passes(one, attributes) for one in config["filters"])


def _passes(wanted: Json, attributes: Mapping[str, str]) -> bool:
    [(dialect, what)] = wanted.items()
    if dialect == "not":
        return not _passes(what, attributes)
    if dialect in ("any", "all"):
        found = [_passes(one, attributes) for one in what]
        return any(found) if dialect == "any" else all(found)
    for name, value in what.items():
        given = attributes.get(name)
        if given is None:
            return False
        if not {"exact": given == value, "prefix": given.startswith(value), "suffix": given.endswith(value)}[
            dialect
        ]:
            return False
    return True


_MATCHES: dict[str, Callable[[Json, Happening, str], bool]] = {
    "WEBHOOK": _webhook,
    "SCHEDULE": _schedule,
    "GITHUB": _github,
    "SLACK": _slack,
    "CLOUDEVENTS": _cloudevents,
}
