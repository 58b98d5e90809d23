"""What Slack sends: events, interactions and slash commands, read into one form. Pure.

Sources: Slack API, "Using the Slack Events API", "Handling user interaction", "Implementing slash commands".
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import orjson

from schemas.media import FORM, content_type
from schemas.triggers.accounts import Account, one_of_each_tenant, proven
from schemas.triggers.delivery import Delivery, NotUnderstood, Received, ReceivedEvent, Reply

SLACK: Final = "SLACK"
SLASH_COMMAND: Final = "slash_command"

_MAX_FIELDS = 100
_TAKEN = Reply(200, b"", "text/plain")
"""Slack shows the body of an answer to a command to whoever gave it: an empty one says nothing."""

Json = Mapping[str, Any]
AccountsOf = Callable[[str], Iterable[Account]]
"""The connections to an app by its id; of "" all, for requests that do not say which."""


class _Request(NamedTuple):
    """One thing that has happened."""

    event: str
    """In Slack's words; slash_command for those."""
    delivery_id: str | None
    facts: dict[str, Any]
    """What filters look at, from wherever the kind of request has it; "" for what it does not have."""


def receive_slack(delivery: Delivery, accounts_of: AccountsOf) -> Received:
    """What a request has for the tenants whose signing secrets prove it, and the answer that Slack wants.

    Raises `NotBelieved`, `NotUnderstood`.
    """
    body = _body(delivery)
    believed = proven(delivery, accounts_of(_text(body, "api_app_id")))
    if body.get("type") == "url_verification":
        return Received(reply=Reply(200, orjson.dumps({"challenge": _text(body, "challenge")})))
    if "ssl_check" in body:
        return Received(reply=_TAKEN)
    team_id = _team(body)
    chosen = one_of_each_tenant(believed, team_id)
    return Received(tuple(_event(delivery, body, team_id, account) for account in chosen), _TAKEN)


def _body(delivery: Delivery) -> Json:
    raw: bytes | str = delivery.body
    if content_type(delivery.headers.get("Content-Type")).media_type == FORM:
        try:
            fields = dict(
                parse_qsl(delivery.body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
            )
        except ValueError as wrong:
            raise NotUnderstood(f"the body is not a URL-encoded form: {wrong}") from wrong
        if "payload" not in fields:
            return fields
        raw = fields["payload"]
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as wrong:
        raise NotUnderstood(f"the body is neither JSON nor a form with a payload: {wrong}") from wrong
    if not isinstance(body, dict):
        raise NotUnderstood("the body is not a JSON object")
    return body


def _request(body: Json) -> _Request:
    kind = _text(body, "type")
    if kind == "event_callback":
        inner = _member(body, "event")
        return _Request(_text(inner, "type"), _text(body, "event_id") or None, _event_facts(body, inner))
    event = SLASH_COMMAND if "command" in body else kind
    if not event:
        raise NotUnderstood("it is no event, interaction or slash command of Slack: it has no type")
    return _Request(event, _text(body, "trigger_id") or None, _interaction_facts(body))


def _event_facts(body: Json, event: Json) -> dict[str, Any]:
    # An edit or a deletion has the message that it is about within.
    message = _member(event, "message") or _member(event, "previous_message") or event
    subtype = _text(event, "subtype")
    return {
        "subtype": subtype,
        "command": "",
        "channel": _id(event, "channel", "channel_id") or _text(_member(event, "item"), "channel"),
        "channel_type": _text(event, "channel_type"),
        "user": _id(event, "user", "user_id") or _id(message, "user"),
        "is_bot": bool(event.get("bot_id") or message.get("bot_id") or subtype == "bot_message"),
        "bot_user_id": _bot_user(body),
        "text": _text(message, "text"),
        "ts": _text(message, "ts"),
        "thread_ts": _text(message, "thread_ts"),
    }


def _interaction_facts(body: Json) -> dict[str, Any]:
    message, container = _member(body, "message"), _member(body, "container")
    return {
        "subtype": "",
        "command": _text(body, "command"),
        "channel": _id(body, "channel", "channel_id") or _text(container, "channel_id"),
        "channel_type": "",
        "user": _id(body, "user", "user_id"),
        "is_bot": False,
        "bot_user_id": "",
        "text": _text(body, "text"),
        "ts": _text(container, "message_ts") or _text(message, "ts"),
        "thread_ts": _text(container, "thread_ts") or _text(message, "thread_ts"),
    }


def _event(delivery: Delivery, body: Json, team_id: str, account: Account) -> ReceivedEvent:
    request = _request(body)
    metadata = {"connection": account.name}
    for name, header in (("retry_num", "X-Slack-Retry-Num"), ("retry_reason", "X-Slack-Retry-Reason")):
        if (said := delivery.headers.get(header)) is not None:
            metadata[name] = said
    facts = {"event": request.event, "id": request.delivery_id, "team_id": team_id, **request.facts}
    return ReceivedEvent(
        tenant_id=account.tenant_id,
        type=SLACK,
        index_key=team_id,
        event_type=request.event,
        source=f"slack://{team_id}",
        subject=facts["channel"] or None,
        delivery_id=request.delivery_id,
        data={
            "type": "slack",
            "method": delivery.method,
            "path": delivery.path,
            "delivery": {**facts, "connection": account.name},
            "body": body,
            "metadata": metadata,
        },
    )


def _team(body: Json) -> str:
    """The workspace that the app is told as; of an app of a whole organisation, that."""
    team = _text(body, "context_team_id") or _id(body, "team_id", "team")
    user_team = _text(_member(body, "user"), "team_id")
    return team or user_team or _text(body, "enterprise_id") or _text(_member(body, "enterprise"), "id")


def _bot_user(body: Json) -> str:
    """The app's own user, where the event says for whom it can be seen."""
    given = body.get("authorizations")
    seen_by = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    return next((_text(one, "user_id") for one in seen_by if one.get("is_bot")), "")


def _id(value: Json, *names: str) -> str:
    """Of the first that is there: an id, or an object that has one."""
    for name in names:
        if found := _text(value, name) or _text(_member(value, name), "id"):
            return found
    return ""


def _text(value: Json, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _member(value: Json, name: str) -> Json:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}
