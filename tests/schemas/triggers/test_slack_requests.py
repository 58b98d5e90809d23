"""Requests of Slack: who is believed, what each kind of request is made of, and the answer."""

from typing import Any

import orjson
import pytest

from schemas.triggers.accounts import Account
from schemas.triggers.delivery import Delivery, NotBelieved, NotUnderstood, Received, ReceivedEvent
from schemas.triggers.signatures import SlackVerifier
from schemas.triggers.slack import SlackConfig
from schemas.triggers.slack_requests import receive_slack
from tests.schemas.triggers.slack_samples import (
    AT_S,
    COMMAND,
    INTERACTION,
    SECRET,
    as_form,
    as_json,
    callback,
    message,
)

VERIFIER = SlackVerifier((SECRET.encode(),))
ACCOUNT = Account("tenant", "chat", VERIFIER)


def receive(delivery: Delivery, *accounts: Account) -> Received:
    return receive_slack(delivery, lambda _: accounts or (ACCOUNT,))


def event_of(delivery: Delivery) -> ReceivedEvent:
    [event] = receive(delivery).events
    return event


def test_a_message_becomes_an_event_of_its_workspace() -> None:
    body = message("hello")
    received = receive(as_json(body))
    [event] = received.events
    assert (event.index_key, event.event_type, event.delivery_id) == ("T123ABC456", "message", "Ev123ABC456")
    assert (event.tenant_id, event.data["body"]) == ("tenant", body)
    assert received.reply is not None
    assert (received.reply.status, received.reply.body) == (200, b"")


def test_the_address_is_verified() -> None:
    received = receive(as_json({"token": "x", "challenge": "3eZbrw1a", "type": "url_verification"}))
    assert received.events == ()
    assert received.reply is not None
    assert orjson.loads(received.reply.body) == {"challenge": "3eZbrw1a"}


@pytest.mark.parametrize("away_s", [301, -301])
def test_what_is_more_than_five_minutes_away_is_refused(away_s: int) -> None:
    assert receive(as_json(message(), at_s=AT_S + away_s - (1 if away_s > 0 else -1))).events
    with pytest.raises(NotBelieved, match="more than 300 s"):
        receive(as_json(message(), at_s=AT_S + away_s))


def test_a_wrong_secret_a_changed_body_and_no_signature_are_refused() -> None:
    with pytest.raises(NotBelieved):
        receive(as_json(message(), secret="other"))
    with pytest.raises(NotBelieved):
        receive(as_json({"type": "url_verification", "challenge": "x"}, secret="other"))
    honest = as_json(message())
    with pytest.raises(NotBelieved):
        receive(Delivery("POST", "/", honest.headers, {}, honest.body + b" ", AT_S))
    with pytest.raises(NotBelieved):
        receive(Delivery("POST", "/", {}, {}, honest.body, AT_S))


def test_the_connections_are_asked_for_by_the_app() -> None:
    asked = []

    def accounts_of(app_id: str) -> tuple[Account, ...]:
        asked.append(app_id)
        return (ACCOUNT,)

    for delivery in (
        as_json(message()),
        as_form({"payload": orjson.dumps(INTERACTION).decode()}),
        as_form(COMMAND),
    ):
        receive_slack(delivery, accounts_of)
    receive_slack(as_json({"type": "url_verification", "challenge": "x"}), accounts_of)
    assert asked == ["A123ABC456"] * 3 + [""]


def test_a_connection_to_one_workspace_has_no_events_of_another() -> None:
    here = Account("a", "here", VERIFIER, "T123ABC456")
    elsewhere = Account("b", "elsewhere", VERIFIER, "T999")
    received = receive(as_json(message()), elsewhere, here, Account("a", "second", VERIFIER))
    assert [(one.tenant_id, one.data["delivery"]["connection"]) for one in received.events] == [("a", "here")]
    received = receive(as_json(message()), elsewhere)
    assert received.events == ()
    assert received.reply is not None


def test_an_app_in_another_workspace_is_told_as_that() -> None:
    body = {**message(), "context_team_id": "T222"}
    assert event_of(as_json(body)).index_key == "T222"
    body = {**message(), "team_id": None, "enterprise_id": "E1"}
    assert event_of(as_json(body)).index_key == "E1"


def test_a_retry_says_so_and_has_the_same_id() -> None:
    first = event_of(as_json(message()))
    headers = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    again = event_of(as_json(message(), **headers))
    assert (first.delivery_id, first.index_key) == (again.delivery_id, again.index_key)
    assert again.data["metadata"] == {"connection": "chat", "retry_num": "1", "retry_reason": "http_timeout"}


def test_a_pressed_button() -> None:
    event = event_of(as_form({"payload": orjson.dumps(INTERACTION).decode()}))
    assert (event.event_type, event.delivery_id) == ("block_actions", INTERACTION["trigger_id"])
    facts = event.data["delivery"]
    assert (facts["channel"], facts["user"], facts["is_bot"]) == ("C123ABC456", "U123ABC456", False)
    assert SlackConfig(event_types=("block_actions",)).refusal(event.data) is None


def test_a_slash_command() -> None:
    event = event_of(as_form(COMMAND))
    assert (event.event_type, event.index_key) == ("slash_command", "T123ABC456")
    assert (event.data["delivery"]["command"], event.data["body"]["text"]) == ("/deploy", "web to production")


def test_the_check_of_a_certificate_is_no_command() -> None:
    received = receive(as_form({"ssl_check": "1", "token": "x"}))
    assert (received.events, received.reply and received.reply.status) == ((), 200)


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        ({"type": "reaction_added", "user": "U1", "item": {"type": "message", "channel": "C1", "ts": "1"}},
         {"user": "U1", "channel": "C1"}),
        ({"type": "channel_created", "channel": {"id": "C2", "name": "n"}}, {"channel": "C2", "user": ""}),
        ({"type": "team_join", "user": {"id": "U2", "name": "n"}}, {"user": "U2", "channel": ""}),
        ({"type": "file_shared", "channel_id": "C3", "user_id": "U3"}, {"user": "U3", "channel": "C3"}),
        ({"type": "message", "subtype": "message_changed", "channel": "C4",
          "message": {"user": "U4", "text": "now", "ts": "2", "thread_ts": "1", "bot_id": "B1"}},
         {"user": "U4", "text": "now", "thread_ts": "1", "is_bot": True, "subtype": "message_changed"}),
        ({"type": "message", "subtype": "message_deleted", "previous_message": {"user": "U5"}},
         {"user": "U5"}),
        ({"type": "message", "subtype": "bot_message", "text": "x"}, {"is_bot": True, "user": ""}),
    ],
    ids=lambda one: one.get("type"),
)  # fmt: skip
def test_where_each_event_has_what_filters_look_at(event: dict[str, Any], facts: dict[str, Any]) -> None:
    found = event_of(as_json(callback(event))).data["delivery"]
    assert {name: found[name] for name in facts} == facts


def test_an_app_that_is_told_too_much() -> None:
    body = {"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1, "api_app_id": "A"}
    assert event_of(as_json(body)).event_type == "app_rate_limited"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"{}", b'{"type": 5}'])
def test_what_is_no_request_of_slack_is_refused(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        receive(as_json(body))
    with pytest.raises(NotUnderstood):
        receive(as_form({"payload": body.decode("latin-1")}))


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {"id": 1}, {"user": [], "message": 1}])
@pytest.mark.parametrize("member", ["event", "team", "user", "authorizations", "enterprise", "team_id"])
def test_whoever_has_the_secret_may_send_anything(member: str, value: Any) -> None:
    event = event_of(as_json({**message(), member: value}))
    everything = {"event_types": ["x"], "channels": ["x"], "users": ["x"], "mention_required": True}
    assert SlackConfig.model_validate(everything).refusal(event.data) is not None
