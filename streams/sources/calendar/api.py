"""The calls of the Google Calendar API, version 3, that a watcher makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from schemas.models import AppTrigger
from schemas.plugins.http import Http, HttpReply
from schemas.triggers.google_calendar import GoogleCalendarConfig
from streams.sources.http import ask, object_of
from streams.sources.oauth import AccessTokens
from streams.sources.watching import Unavailable

_PAGE = "250"
_MOST_PAGES = 4000


class SyncTokenGone(Exception):
    """410: the changes since then cannot be told any more (guide "Synchronize resources efficiently")."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Events of all pages."""

    items: list[dict[str, Any]] = field(default_factory=list)
    sync_token: str = ""
    """Of a complete list: what changes from here on."""
    updated: str = ""
    """When the calendar was last changed; RFC 3339."""
    time_zone: str = "UTC"
    """Of the calendar: where its whole days begin and end."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Notifications that Google sends until they expire (guide "Get notifications")."""

    id: str
    resource_id: str
    expires_s: float


class Calendar:
    """One calendar. Methods raise `Unavailable`."""

    def __init__(
        self, http: Http, tokens: AccessTokens, trigger: AppTrigger, config: GoogleCalendarConfig
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._trigger = trigger
        self._config = config
        self._base = config.api_url.rstrip("/")
        self._events = f"{self._base}/calendars/{quote(config.calendar_id, safe='')}/events"

    async def changes(self, sync_token: str) -> Listing:
        """What has changed since the token was given, deleted events included; with "" all that there is, a
        series as one event. Raises `SyncTokenGone`."""
        token = {"syncToken": sync_token} if sync_token else {}
        return await self._all({"maxResults": _PAGE, "showDeleted": "true", **token})

    async def between(self, start: str, end: str) -> Listing:
        """Events that end after `start` and begin before `end` (RFC 3339), each of a series by itself."""
        query = {"singleEvents": "true", "orderBy": "startTime", "timeMin": start, "timeMax": end}
        return await self._all({"maxResults": _PAGE, **query})

    async def watch(self, channel_id: str, address: str, token: str, ttl_s: int) -> Channel:
        """Has changes told to the address."""
        body = {
            "id": channel_id,
            "type": "web_hook",
            "address": address,
            "token": token,
            "params": {"ttl": str(ttl_s)},
        }
        answer = await self._call("POST", f"{self._events}/watch", json=body)
        found = self._good(answer)
        return Channel(channel_id, str(found["resourceId"]), int(found["expiration"]) / 1000)

    async def stop(self, channel: Channel) -> None:
        """Ends it. One that Google does not know has ended."""
        body = {"id": channel.id, "resourceId": channel.resource_id}
        answer = await self._call("POST", f"{self._base}/channels/stop", json=body)
        if answer.status != 404:
            self._good(answer)

    async def _all(self, query: Mapping[str, str]) -> Listing:
        items: list[dict[str, Any]] = []
        page: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            answer = await self._call("GET", self._events, query={**query, **page})
            if answer.status == 410:
                raise SyncTokenGone
            found = self._good(answer)
            items += found.get("items", ())
            if "nextPageToken" not in found:
                return Listing(
                    items,
                    found.get("nextSyncToken", ""),
                    found.get("updated", ""),
                    found.get("timeZone", "UTC"),
                )
            page = {"pageToken": found["nextPageToken"]}
        raise Unavailable(f"calendar {self._config.calendar_id} has more than {_MOST_PAGES} pages")

    async def _call(self, method: str, url: str, **content: Any) -> HttpReply:
        token = await self._tokens.token(self._trigger, self._config.oauth)
        headers = {"Authorization": f"Bearer {token}"}
        answer = await ask(self._http, method, url, headers=headers, **content)
        if answer.status == 401:
            self._tokens.forget(self._trigger)
        return answer

    def _good(self, answer: HttpReply) -> Mapping[str, Any]:
        found = object_of(answer)
        if answer.status // 100 != 2:
            error = found.get("error", {})
            said = error.get("message", "") if isinstance(error, dict) else error
            raise Unavailable(f"calendar {self._config.calendar_id}: {answer.status} {said}".rstrip())
        return found
