"""What follows from what a calendar says: events that have changed, and times to be waited for. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from schemas.triggers.google_calendar import TIMES, GoogleCalendarConfig, Kind
from streams.sources.events import SourceEvent

_KEPT = (
    "id", "status", "htmlLink", "created", "updated", "summary", "description", "location", "colorId",
    "creator", "organizer", "start", "end", "recurrence", "recurringEventId", "originalStartTime",
    "iCalUID", "attendees", "hangoutLink", "conferenceData", "eventType", "visibility",
)  # fmt: skip
_MOST_DESCRIPTION_CHARS = 8192
_MOST_ATTENDEES = 200

_AS_MADE = timedelta(seconds=1)

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Timer:
    """A time at which an event is to be fired."""

    name: str
    """The same for the same event, start and kind."""
    due_s: float
    kind: Kind
    body: dict[str, Any]


def changed(config: GoogleCalendarConfig, items: Iterable[Item], after: str) -> Iterator[SourceEvent]:
    """Of events that have changed, what is wanted. `after` (RFC 3339): when the ones before had changed."""
    for item in items:
        kind = _kind(item, after)
        if kind in config.events:
            name = f"{item['id']}/{kind}@{_version(config, kind, item)}"
            yield calendar_event(config.calendar_id, name, kind, kept(item))


def _version(config: GoogleCalendarConfig, kind: Kind, item: Item) -> str:
    """Which of the changes of that kind it is. A creation is one, however often it has been edited when it is
    seen again; but who wants to hear of edits as well must not miss them for that."""
    if kind == "created" and "updated" not in config.events:
        return str(item["created"])
    # Of what is cancelled Google may say no more than that, and under which etag.
    return str(item.get("updated") or item.get("etag", ""))


def later(items: Iterable[Item], after: str) -> list[Item]:
    """Of all events of a calendar, those that have changed later than that (RFC 3339)."""
    return [item for item in items if "updated" in item and moment(item["updated"]) > moment(after)]


def _kind(item: Item, after: str) -> Kind:
    if item.get("status") == "cancelled":
        return "cancelled"
    if "created" not in item or "updated" not in item:
        return "updated"
    made = moment(item["created"])
    # The lists of a calendar may be some seconds behind: one that is as it was made is new all the same.
    is_new = made > moment(after) or moment(item["updated"]) - made < _AS_MADE
    return "created" if is_new else "updated"


def timers(
    config: GoogleCalendarConfig, items: Iterable[Item], zone: str, not_before_s: float
) -> Iterator[Timer]:
    """The starts and ends to be fired, but for those that had passed by `not_before_s`."""
    for item in items:
        for kind, side in zip(TIMES, ("start", "end"), strict=True):
            if kind not in config.events or item.get("status") == "cancelled" or side not in item:
                continue
            at_s = time_of(item[side], zone)
            due_s = at_s - 60 * config.minutes_before
            if due_s > not_before_s:
                name = f"{item['id']}/{kind}@{datetime.fromtimestamp(at_s, ZoneInfo('UTC')).isoformat()}"
                yield Timer(name, due_s, kind, kept(item))


def calendar_event(calendar_id: str, name: str, kind: Kind, body: Mapping[str, Any]) -> SourceEvent:
    """`name` tells it from all others of the calendar."""
    return SourceEvent(
        identity=sha256(f"{calendar_id}/{name}".encode()).hexdigest(),
        event_type=f"calendar.{kind}",
        source=f"https://www.googleapis.com/calendar/v3/calendars/{calendar_id}/events/{body['id']}",
        subject=str(body["id"]),
        data={
            "type": "google_calendar",
            "kind": kind,
            "body": dict(body),
            "metadata": {"calendar_id": calendar_id, "kind": kind, "event": name},
        },
    )


def kept(item: Item) -> dict[str, Any]:
    """What a workflow gets of an event."""
    body = {name: item[name] for name in _KEPT if name in item}
    if "description" in body:
        body["description"] = str(body["description"])[:_MOST_DESCRIPTION_CHARS]
    if "attendees" in body:
        body["attendees"] = body["attendees"][:_MOST_ATTENDEES]
    return body


def time_of(side: Mapping[str, Any], zone: str) -> float:
    """`start` or `end` of an event as unix time; whole days begin at midnight in the calendar's zone."""
    if "dateTime" in side:
        return moment(side["dateTime"]).timestamp()
    return datetime.fromisoformat(side["date"]).replace(tzinfo=ZoneInfo(zone)).timestamp()


def moment(text: str) -> datetime:
    """Of RFC 3339."""
    return datetime.fromisoformat(text)
