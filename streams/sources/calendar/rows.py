"""Times of a calendar's events as rows of the stage: each is fired once, by whoever has its partition then.

A row that has been fired stays for a while, so that a list which still has the event does not begin it anew.
"""

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from schemas.codec import Codec
from schemas.models import DeploymentStatus
from schemas.triggers.google_calendar import GoogleCalendarConfig
from streams.shell.stage import Decision, Kept
from streams.sources.calendar.changes import Timer, calendar_event
from streams.sources.events import event_send
from streams.sources.rows import decode_row, encode_row, prefix_of, source_of
from transport.feed import DefinitionsFeed

_REMEMBERED_S = 7 * 86_400.0


def key_of(source_id: str, name: str) -> str:
    """Of the row of a timer."""
    return prefix_of(source_id) + sha256(name.encode()).hexdigest()[:24]


def payload_of(found: list[Timer]) -> list[dict[str, Any]]:
    """Timers in a command."""
    return [asdict(timer) for timer in found]


def install(source_id: str, payload: Mapping[str, Any], kept: Kept) -> Decision:
    """Puts the `timers`; where there are `names`, those are all, and others that wait are no more."""
    writes: dict[str, bytes | None] = {}
    if "names" in payload:
        wanted = {key_of(source_id, name) for name in payload["names"]}
        for key in kept.under(prefix_of(source_id)):
            row = kept.get(key)
            if key not in wanted and row is not None and not decode_row(row)["fired"]:
                writes[key] = None
    for timer in payload["timers"]:
        key = key_of(source_id, timer["name"])
        before = kept.get(key)
        if before is None or not decode_row(before)["fired"]:
            writes[key] = encode_row(timer["due_s"], {**timer, "fired": False})
    return Decision(writes=writes)


def fire(key: str, row: bytes, feed: DefinitionsFeed, codec: Codec) -> Decision:
    """The time has come: of the event, or to forget that it was fired."""
    timer, trigger = decode_row(row), feed.definitions.triggers.get(source_of(key))
    if timer["fired"] or trigger is None or trigger.deployment_status is not DeploymentStatus.DEPLOYED:
        return Decision(writes={key: None})
    calendar_id = GoogleCalendarConfig.model_validate(trigger.config).calendar_id
    event = calendar_event(calendar_id, timer["name"], timer["kind"], timer["body"])
    send = event_send(trigger, event, round(timer["due_s"] * 1e6), feed, codec)
    fired = encode_row(timer["due_s"] + _REMEMBERED_S, {"name": timer["name"], "fired": True})
    return Decision([send], {key: fired})
