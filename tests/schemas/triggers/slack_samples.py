"""Requests as Slack makes them: signed by its own SDK, with what its documents show."""

from typing import Any
from urllib.parse import urlencode

import orjson
from multidict import CIMultiDict
from slack_sdk.signature import SignatureVerifier

from schemas.triggers.delivery import Delivery

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
AT_S = 1_700_000_000
PATH = "/api/v1/slack/events"


def signed(body: bytes, secret: str = SECRET, at_s: int = AT_S) -> dict[str, str]:
    """The two headers."""
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(at_s), body=body)
    return {"X-Slack-Request-Timestamp": str(at_s), "X-Slack-Signature": str(signature)}


def as_json(body: Any, secret: str = SECRET, at_s: int = AT_S, **headers: str) -> Delivery:
    """Of the Events API."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    given = {"Content-Type": "application/json", **signed(raw, secret, at_s), **headers}
    return Delivery("POST", PATH, CIMultiDict(given), {}, raw, AT_S)


def as_form(fields: dict[str, str], secret: str = SECRET) -> Delivery:
    """Of interactions and slash commands."""
    raw = urlencode(fields).encode()
    given = {"Content-Type": "application/x-www-form-urlencoded", **signed(raw, secret)}
    return Delivery("POST", PATH, CIMultiDict(given), {}, raw, AT_S)


def callback(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An event with what is around it."""
    return {
        "token": "XXYYZZ",
        "team_id": "T123ABC456",
        "api_app_id": "A123ABC456",
        "event": event,
        "type": "event_callback",
        "event_id": "Ev123ABC456",
        "event_time": 1234567890,
        "authorizations": [
            {"enterprise_id": None, "team_id": "T123ABC456", "user_id": "UBOT", "is_bot": True}
        ],
        **more,
    }


def message(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A message in a public channel."""
    written = {"type": "message", "channel": "C123ABC456", "channel_type": "channel", "user": "U123ABC456"}
    return callback({**written, "text": text, "ts": "1355517523.000005", **more})


INTERACTION: dict[str, Any] = {
    "type": "block_actions",
    "team": {"id": "T123ABC456", "domain": "example"},
    "user": {"id": "U123ABC456", "username": "ada", "team_id": "T123ABC456"},
    "api_app_id": "A123ABC456",
    "trigger_id": "12466734323.1395872398",
    "container": {"type": "message", "message_ts": "1548261231.000200", "channel_id": "C123ABC456"},
    "channel": {"id": "C123ABC456", "name": "review"},
    "message": {"bot_id": "BAH5CA16Z", "user": "UBOT", "type": "message", "ts": "1548261231.000200"},
    "actions": [{"action_id": "approve", "type": "button", "value": "yes"}],
}

COMMAND = {
    "token": "gIkuvaNzQIHg97ATvDxqgjtO",
    "team_id": "T123ABC456",
    "channel_id": "C123ABC456",
    "user_id": "U123ABC456",
    "command": "/deploy",
    "text": "web to production",
    "api_app_id": "A123ABC456",
    "trigger_id": "13345224609.738474920",
}
