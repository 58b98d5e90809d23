"""Slack triggers: which events they want."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.triggers.accounts import Account
from schemas.triggers.signatures import SlackVerifier
from schemas.triggers.slack import SlackConfig
from schemas.triggers.slack_requests import receive_slack
from tests.schemas.triggers.slack_samples import COMMAND, SECRET, as_form, as_json, callback, message


def refusal(body: dict[str, Any], **config: Any) -> str | None:
    delivery = as_form(body) if "command" in body else as_json(body)
    account = Account("tenant", "chat", SlackVerifier((SECRET.encode(),)))
    [event] = receive_slack(delivery, lambda _: [account]).events
    return SlackConfig.model_validate(config).refusal(event.data)


@pytest.mark.parametrize(
    ("wanted", "event", "passes"),
    [
        ("message", {}, True),
        ("message", {"subtype": "file_share"}, True),
        ("message", {"subtype": "thread_broadcast"}, True),
        ("message", {"subtype": "message_changed"}, False),
        ("message", {"subtype": "channel_join"}, False),
        ("message.message_changed", {"subtype": "message_changed"}, True),
        ("message.message_deleted", {"subtype": "message_changed"}, False),
        ("message.file_share", {"subtype": "file_share"}, True),
        ("message.channels", {}, True),
        ("message.im", {}, False),
        ("message.im", {"channel_type": "im"}, True),
        ("message.groups", {"channel_type": "group"}, True),
        ("message.channels", {"subtype": "message_changed"}, False),
        ("app_mention", {}, False),
    ],
)
def test_message_is_what_somebody_has_written(wanted: str, event: dict[str, Any], passes: bool) -> None:
    assert (refusal(message("x", **event), event_types=[wanted]) is None) is passes


def test_an_event_that_is_not_wanted_is_named() -> None:
    said = refusal(message(subtype="channel_join"), event_types=["message"])
    assert said == "event message.channel_join is not wanted"
    assert refusal(message(subtype="channel_join")) is None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"channels": ["C123ABC456"]}, None),
        ({"channels": ["C2"]}, "channel C123ABC456 is not wanted"),
        ({"users": ["U123ABC456"]}, None),
        ({"users": ["U2"]}, "user U123ABC456 is not wanted"),
        ({"connection": "chat"}, None),
        ({"connection": "other"}, "it came by the connection 'chat'"),
        ({"commands": ["/deploy"]}, "it is no slash command"),
    ],
)
def test_what_a_trigger_does_not_want(config: dict[str, Any], said: str | None) -> None:
    assert refusal(message(), **config) == said


def test_slash_commands() -> None:
    assert refusal(COMMAND, commands=["/deploy"]) is None
    assert refusal(COMMAND, commands=["/other"]) == "it is /deploy"
    assert refusal(COMMAND, event_types=["slash_command"], channels=["C123ABC456"]) is None


@pytest.mark.parametrize(
    ("event", "is_bot"),
    [({"bot_id": "B1"}, True), ({"subtype": "bot_message"}, True), ({"user": "UBOT"}, True), ({}, False)],
)
def test_bots_are_ignored_unless_they_are_wanted(event: dict[str, Any], is_bot: bool) -> None:
    assert refusal(message("x", **event)) == ("it is of a bot" if is_bot else None)
    assert refusal(message("x", **event), ignore_bots=False) is None


def test_a_reaction_of_the_app_itself_is_one_of_a_bot() -> None:
    reaction = callback({"type": "reaction_added", "user": "UBOT", "item": {"channel": "C1"}})
    assert refusal(reaction) == "it is of a bot"


@pytest.mark.parametrize(
    ("text", "mentions"),
    [("<@UBOT> hi", True), ("hi <@UBOT|app>", True), ("<@UBOTTOM> hi", False), ("UBOT", False), ("", False)],
)
def test_the_app_must_be_mentioned(text: str, mentions: bool) -> None:
    assert (refusal(message(text), mention_required=True) is None) is mentions


def test_who_the_app_is_may_be_in_the_config_alone() -> None:
    body = {**message("<@UOWN> hi"), "authorizations": []}
    assert refusal(body, mention_required=True, bot_user_id="UOWN") is None
    assert refusal(body, mention_required=True) == "it does not mention the app"
    mention = callback({"type": "app_mention", "user": "U1", "text": "hi"}, authorizations=[])
    assert refusal(mention, mention_required=True) is None


@pytest.mark.parametrize(
    ("event", "is_reply"),
    [({}, False), ({"thread_ts": "1355517523.000005"}, False), ({"thread_ts": "1355517000.000001"}, True)],
)
def test_threads(event: dict[str, Any], is_reply: bool) -> None:
    assert refusal(message("x", **event)) is None
    assert refusal(message("x", **event), thread="required") == (
        None if is_reply else "it is not in a thread"
    )
    assert refusal(message("x", **event), thread="excluded") == ("it is in a thread" if is_reply else None)


def test_it_is_looked_up_by_its_workspace() -> None:
    assert SlackConfig(workspace_id="T1").index_key("id") == "T1"
    assert SlackConfig().index_key("id") == ""


@pytest.mark.parametrize(
    "config", [{"workspace_id": "my-team"}, {"thread": "maybe"}, {"channels": [""]}, {"x": 1}]
)
def test_what_cannot_be_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SlackConfig.model_validate(config)
