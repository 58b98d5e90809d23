"""GitHub: webhooks of repositories, organisations and apps, and which of their events a trigger wants."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Self
from urllib.parse import parse_qs

import orjson
from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from schemas.media import FORM, content_type
from schemas.triggers.accounts import Account, one_of_each_tenant, proven
from schemas.triggers.config import TriggerConfig
from schemas.triggers.delivery import Delivery, NotUnderstood, Received, ReceivedEvent, Reply
from schemas.triggers.github_filters import EventFilter

GITHUB: Final = "GITHUB"

REDELIVERY_S: Final = 3 * 86_400.0
"""How long GitHub offers to deliver again what it has delivered, under the same id."""

_REPOSITORY = r"^([A-Za-z0-9_-]+(/[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*)?)?$"
_PONG = Reply(200, b'{"pong":true}')


class GitHubConfig(TriggerConfig):
    """The `config` of a GITHUB trigger."""

    type: ClassVar[str] = GITHUB

    connection: str = ""
    """Name of the connection whose deliveries are looked at; "": of every one of the tenant."""
    repository: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=200, pattern=_REPOSITORY)
    ] = ""
    """`owner/name`; `owner` for everything of an organisation or user; "" for everything that comes."""
    github_app_installation_id: Annotated[
        str, BeforeValidator(lambda given: str(given) if isinstance(given, int) else given)
    ] = ""
    """Only events of this installation of the app; found out for a connection that has the app's key."""
    event_config: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")],
        Annotated[EventFilter, BeforeValidator(lambda given: {} if given is None else given)],
    ] = Field(default_factory=dict, max_length=100)
    """Event -> what is wanted of it; without any, every event is wanted."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event: `body.head_commit.id`, `delivery.event`. A start variable
    that is not named here takes the member of that name of the payload."""

    @model_validator(mode="after")
    def _asks_for_what_there_is(self) -> Self:
        for name, wanted in self.event_config.items():
            wanted.check(name)
        return self

    def index_key(self, trigger_id: str) -> str:
        """The repository, in small letters; "" for more than one."""
        return self.repository.lower() if "/" in self.repository else ""

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """See `TriggerConfig.refusal`."""
        delivery = event["delivery"]
        if self.connection and self.connection != delivery["connection"]:
            return f"it came by the connection {delivery['connection']!r}"
        if self.repository and "/" not in self.repository and self.repository.lower() != delivery["owner"]:
            return f"it is of {delivery['owner'] or 'no owner'}, not of {self.repository}"
        if self.github_app_installation_id not in ("", delivery["installation_id"]):
            return f"it is of installation {delivery['installation_id'] or 'none'}"
        name = delivery["event"]
        if not self.event_config:
            return None
        wanted = self.event_config.get(name)
        return f"event {name} is not wanted" if wanted is None else wanted.refusal(name, event["body"])

    def part(self, event: Mapping[str, Any]) -> str:
        """The connection; an installation is that of an app, so of one of them. See `TriggerConfig.part`."""
        is_one = self.connection or self.github_app_installation_id
        return str(event["delivery"]["connection"]) if is_one else ""

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs


def receive_github(delivery: Delivery, accounts: Iterable[Account]) -> Received:
    """What a delivery of GitHub has for the tenants whose secrets prove it. Raises `NotBelieved`,
    `NotUnderstood`."""
    believed = one_of_each_tenant(proven(delivery, accounts), "")
    name = delivery.headers.get("X-GitHub-Event", "")
    if not name:
        raise NotUnderstood("X-GitHub-Event is missing: it says what has happened")
    payload = _payload(delivery)
    if name == "ping":
        return Received(reply=_PONG)
    return Received(tuple(_event(delivery, name, payload, account) for account in believed))


def _payload(delivery: Delivery) -> dict[str, Any]:
    raw: bytes | str = delivery.body
    if content_type(delivery.headers.get("Content-Type")).media_type == FORM:
        try:
            raw = parse_qs(delivery.body.decode(), strict_parsing=True, max_num_fields=10)["payload"][0]
        except (ValueError, KeyError) as wrong:
            raise NotUnderstood("a form of GitHub has one field, `payload`") from wrong
    try:
        payload = orjson.loads(raw)
    except orjson.JSONDecodeError as wrong:
        raise NotUnderstood(f"the payload is not JSON: {wrong}") from wrong
    if not isinstance(payload, dict):
        raise NotUnderstood("the payload is not a JSON object")
    return payload


def _event(delivery: Delivery, name: str, payload: dict[str, Any], account: Account) -> ReceivedEvent:
    repository = _member(payload, "repository")
    full_name = str(repository.get("full_name") or "")
    facts = {
        "event": name,
        "id": delivery.headers.get("X-GitHub-Delivery") or None,
        "connection": account.name,
        "repository": full_name or None,
        "owner": _owner(payload, full_name),
        "installation_id": str(_member(payload, "installation").get("id") or ""),
    }
    return ReceivedEvent(
        tenant_id=account.tenant_id,
        type=GITHUB,
        index_key=full_name.lower(),
        event_type=name,
        source=str(repository.get("html_url") or delivery.path),
        subject=_subject(payload),
        delivery_id=facts["id"],
        window_s=REDELIVERY_S if facts["id"] else None,
        data={
            "type": "github",
            "method": delivery.method,
            "path": delivery.path,
            "headers": _headers(delivery),
            "delivery": facts,
            "body": payload,
            "metadata": {"connection": account.name},
        },
    )


def _headers(delivery: Delivery) -> dict[str, str]:
    """Those that say something of the event."""
    named = ((name.lower(), value) for name, value in delivery.headers.items())
    return {name: value for name, value in named if name.startswith("x-github-")}


def _owner(payload: Mapping[str, Any], full_name: str) -> str:
    """In small letters: of the repository, else the organisation or who has installed the app."""
    account = _member(payload, "organization") or _member(_member(payload, "installation"), "account")
    return (full_name.partition("/")[0] or str(account.get("login") or "")).lower()


def _subject(payload: Mapping[str, Any]) -> str | None:
    """The ref, or the number of the issue or pull request."""
    subject = payload.get("ref") or payload.get("number") or _member(payload, "issue").get("number")
    return str(subject) if subject else None


def _member(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, Mapping) else {}
