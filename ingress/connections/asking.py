"""What a user need not know of a GitHub or Slack trigger: its provider is asked when it is configured."""

import re
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from aiohttp import web

from ingress.auth import CALLER
from ingress.connections.accounts import DEPLOYMENT
from ingress.connections.paths import GITHUB_PATH, SLACK_PATH
from ingress.errors import Unprocessable
from ingress.keys import ACCOUNTS, EGRESS
from schemas.models import AppTrigger, Connection, GitHubConnection, SlackConnection
from schemas.secrets import SecretUnreadable
from schemas.triggers.github import GITHUB
from schemas.triggers.slack_requests import SLACK
from transport.github_api import GitHubApp
from transport.provider_api import ProviderRefused
from transport.slack_api import SlackApi

Config = dict[str, Any]

_ENTRANCES: Mapping[str, tuple[type[Connection], str]] = {
    GITHUB: (GitHubConnection, GITHUB_PATH),
    SLACK: (SlackConnection, SLACK_PATH),
}
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")
_C = TypeVar("_C", bound=Connection)
_T = TypeVar("_T")


async def with_installation(request: web.Request, config: Config) -> Config:
    """The config of a GITHUB trigger with the id of the installation of its app at its repository.

    Raises `Unprocessable` where there is none, and `ProviderUnavailable`.
    """
    connection = _connection(request, GitHubConnection, config["connection"])
    if connection is None or config["github_app_installation_id"] or not config["repository"]:
        return config
    key = _credential(request, connection, "private_key")
    if not key or not connection.app_id:
        return config
    app = GitHubApp(request.app[EGRESS], connection.api_url, connection.app_id, key)
    found = await _asked("repository", app.installation_id(config["repository"]))
    return {**config, "github_app_installation_id": str(found)}


async def with_ids(request: web.Request, config: Config) -> Config:
    """The config of a SLACK trigger with its workspace, the app's own user, and channels by their ids.

    Raises `Unprocessable` for what there is not, and `ProviderUnavailable`.
    """
    connection = _connection(request, SlackConnection, config["connection"])
    names = [one for one in config["channels"] if not _CHANNEL_ID.fullmatch(one)]
    token = _credential(request, connection, "bot_token") if connection else ""
    if connection is None or not token:
        if names:
            _refuse(
                "channels", f"{names[0]} is no id, and there is no connection with a bot_token to ask with"
            )
        return {
            **config,
            "workspace_id": config["workspace_id"] or (connection.team_id if connection else ""),
        }
    slack = SlackApi(request.app[EGRESS], connection.api_url, token)
    identity = await _asked("connection", slack.identity())
    workspace_id = config["workspace_id"] or connection.team_id or identity.team_id
    known = await _asked("channels", _channels(slack, names, workspace_id))
    ids = [known.get(one) or one for one in config["channels"]]
    own = config["bot_user_id"] or identity.user_id
    return {**config, "workspace_id": workspace_id, "channels": ids, "bot_user_id": own}


def entrance(request: web.Request, trigger: AppTrigger) -> str | None:
    """The path that the provider sends to; None where a trigger looks at more than one connection."""
    kind, path = _ENTRANCES[trigger.type]
    known = request.app[ACCOUNTS].of_tenant(kind, trigger.tenant_id)
    name = trigger.config["connection"]
    found = [one for one in known if name in ("", one.name)]
    if len(found) != 1:
        return None
    return path if found[0].name == DEPLOYMENT else f"{path}/{found[0].id}"


async def _channels(slack: SlackApi, names: Iterable[str], workspace_id: str) -> dict[str, str]:
    """Name as it was given -> id. Raises `Unprocessable`, and what the API raises."""
    plain = {one: one.removeprefix("#").lower() for one in names}
    if not plain:
        return {}
    found = await slack.channel_ids(set(plain.values()), workspace_id)
    missing = [given for given, name in plain.items() if name not in found]
    if missing:
        _refuse("channels", f"there is no channel {', '.join(missing)} that the app can see")
    return {given: found[name] for given, name in plain.items()}


def _connection(request: web.Request, kind: type[_C], name: str) -> _C | None:
    """The one of that name, else the only one of the tenant. Raises `Unprocessable` for a name of none."""
    known = request.app[ACCOUNTS].of_tenant(kind, request[CALLER].tenant_id)
    if not name:
        return known[0] if len(known) == 1 else None
    found = next((one for one in known if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in known) or "none"
        _refuse("connection", f"no connection is called {name!r} (there are: {names})")
    return found


def _credential(request: web.Request, connection: Connection, name: str) -> str:
    """In the clear; "" where there is none. Raises `Unprocessable`."""
    try:
        return request.app[ACCOUNTS].credential(connection, name)
    except SecretUnreadable as unreadable:
        _refuse("connection", f"the credentials of {connection.name} cannot be read: {unreadable}")


async def _asked(field: str, answer: Awaitable[_T]) -> _T:
    try:
        return await answer
    except ProviderRefused as refused:
        _refuse(field, str(refused))


def _refuse(field: str, why: str) -> NoReturn:
    row = {"node": None, "field": f"config.{field}", "why": why}
    raise Unprocessable(why, errors=[row])
