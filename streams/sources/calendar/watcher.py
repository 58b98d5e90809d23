"""Watches calendars at Google.

What has changed comes with a sync token. What begins or ends soon is listed every few minutes, and whenever
something has changed, and put into rows of the stage, which fire at their time, whoever has them then. Google
tells of changes where the deployment has a public address; otherwise, and in case it forgets, we look.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from schemas.codec import Codec
from schemas.ids import new_id
from schemas.plugins.http import Http
from schemas.triggers.google_calendar import CALENDAR_PATH, TIMES, GoogleCalendarConfig, channel_token
from streams.sources.calendar.api import Calendar, Channel, Listing, SyncTokenGone
from streams.sources.calendar.changes import Item, changed, later, moment, timers
from streams.sources.calendar.rows import payload_of
from streams.sources.commands import command
from streams.sources.oauth import AccessTokens
from streams.sources.watching import Unavailable, Watch

log = logging.getLogger(__name__)

_AHEAD_S = 1800.0
"""How far the list of what begins and ends goes beyond its next renewal."""

_LIST_S = 600.0
_LATE_S = 900.0
"""What is found later than this after its time, was not there before, and is let go."""

_TOLD_S = 600.0
"""Between two looks while Google tells of changes: it says that it may lose some."""

_CHANNEL_S = 86_400
_RENEW_S = 3600.0
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Position:
    """How far a calendar has been read."""

    sync_token: str = ""
    updated: str = ""
    """Changes up to then have been published."""
    listed_s: float = 0.0
    """When what begins and ends was last listed."""
    channel: tuple[str, str, float] | None = None


class CalendarSource:
    """The `SourceKind` of calendars."""

    type: ClassVar[str] = GoogleCalendarConfig.type

    def __init__(
        self,
        http: Http,
        tokens: AccessTokens,
        codec: Codec,
        *,
        public_url: str,
        secret_key: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`public_url`: what the ingress is reached by; Google wants https."""
        self._http = http
        self._tokens = tokens
        self._codec = codec
        is_reached = bool(secret_key) and public_url.startswith("https://")
        self._address = f"{public_url.rstrip('/')}{CALENDAR_PATH}" if is_reached else ""
        self._refused_s: dict[str, float] = {}
        """Trigger id -> when Google refused to tell of changes."""
        self._secret_key = secret_key
        self._clock = clock

    def subject(self, settings: GoogleCalendarConfig) -> str:
        """The calendar of who has given the token, and what is wanted of it."""
        wanted = ",".join(settings.events)
        return f"{settings.api_url}/{settings.calendar_id}?{wanted}&{settings.oauth.client_id}"

    def slots(self, settings: GoogleCalendarConfig) -> int:
        """One."""
        return 1

    async def watch(self, watch: Watch) -> None:
        """Until cancelled. Raises `Unavailable`, `SendFailed`."""
        config = watch.settings
        assert isinstance(config, GoogleCalendarConfig)
        calendar = Calendar(self._http, self._tokens, watch.trigger, config)
        position = _position(watch)
        while True:
            position = await self._read_changes(watch, config, calendar, position)
            if self._clock() - position.listed_s >= _LIST_S:
                position = await self._list(watch, config, calendar, position)
            position = await self._renew(watch, config, calendar, position)
            watch.works()
            told = position.channel is not None and position.channel[2] > self._clock()
            await watch.news(max(config.check_interval, _TOLD_S) if told else config.check_interval)

    async def _read_changes(
        self, watch: Watch, config: GoogleCalendarConfig, calendar: Calendar, position: Position
    ) -> Position:
        """Publishes what has changed. Where anything has, the list of what begins and ends is over."""
        found, items = await _changes(watch, calendar, position)
        if not items and found.sync_token == position.sync_token:
            return position
        await watch.publish(list(changed(config, items, position.updated)))
        position = replace(
            position,
            sync_token=found.sync_token,
            updated=_latest(found, position.updated),
            # Kept with the token: nobody is told of these changes again.
            listed_s=min(position.listed_s, self._clock() - _LIST_S),
        )
        await watch.keep(asdict(position))
        return position

    async def _list(
        self, watch: Watch, config: GoogleCalendarConfig, calendar: Calendar, position: Position
    ) -> Position:
        """Has the stage wait for what begins and ends from now on until some time after the next list."""
        now = self._clock()
        if not set(config.events) & set(TIMES):
            return replace(position, listed_s=now)
        not_before = max(watch.since_s, min(position.listed_s or now, now - _LATE_S))
        until = now + max(_LIST_S, config.check_interval) + _AHEAD_S + 60 * config.minutes_before
        listed = await calendar.between(_text(not_before), _text(until))
        found = list(timers(config, listed.items, listed.time_zone, not_before))
        names: dict[str, Any] = {"names": [timer.name for timer in found]}
        for start in range(0, max(len(found), 1), _CHUNK):
            payload = {**names, "timers": payload_of(found[start : start + _CHUNK])}
            trigger = watch.trigger
            await watch.send([command(self._codec, trigger.tenant_id, trigger.id, "SYNCED", payload)])
            names = {}
        position = replace(position, listed_s=now)
        await watch.keep(asdict(position))
        return position

    async def _renew(
        self, watch: Watch, config: GoogleCalendarConfig, calendar: Calendar, position: Position
    ) -> Position:
        """A new channel before the old one expires. Without one it goes on, and looks."""
        before = Channel(*position.channel) if position.channel is not None else None
        if not (config.push and self._address):
            return position
        if before is not None and before.expires_s - self._clock() > _RENEW_S:
            return position
        if self._clock() - self._refused_s.get(watch.trigger.id, 0) < _RENEW_S:
            return position
        address = f"{self._address}/{watch.trigger.id}"
        token = channel_token(self._secret_key, watch.trigger.id)
        try:
            channel = await calendar.watch(new_id(), address, token, _CHANNEL_S)
        except Unavailable as refused:
            log.warning("calendar trigger %s is not told of changes: %s", watch.trigger.id, refused)
            self._refused_s[watch.trigger.id] = self._clock()
            return position
        self._refused_s.pop(watch.trigger.id, None)
        position = replace(position, channel=(channel.id, channel.resource_id, channel.expires_s))
        await watch.keep(asdict(position))
        if before is not None:
            with suppress(Unavailable):
                await calendar.stop(before)
        return position


async def _changes(watch: Watch, calendar: Calendar, position: Position) -> tuple[Listing, list[Item]]:
    """Without a token, or with one that is no good any more, the whole calendar tells what is later."""
    if position.sync_token:
        try:
            found = await calendar.changes(position.sync_token)
        except SyncTokenGone:
            log.info("calendar trigger %s: reading the whole calendar again", watch.trigger.id)
        else:
            return found, list(found.items)
    found = await calendar.changes("")
    return found, later(found.items, position.updated)


def _position(watch: Watch) -> Position:
    kept = watch.position
    if kept is None:
        return Position(updated=_text(watch.since_s))
    channel = kept["channel"]
    return Position(**{**kept, "channel": tuple(channel) if channel is not None else None})


def _latest(found: Listing, before: str) -> str:
    """By Google's clock, which may not be ours."""
    times: list[str] = [found.updated, *(item.get("updated", "") for item in found.items)]
    return max((before, *filter(None, times)), key=moment)


def _text(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
