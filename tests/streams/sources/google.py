"""A stand-in for the Google Calendar API, as its reference and its guides describe events and channels."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Json = dict[str, Any]

_INCOMPATIBLE = {"iCalUID", "orderBy", "q", "timeMin", "timeMax", "updatedMin"}


def rfc(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Google:
    """One calendar, `primary`. Each change has the number that sync tokens count by."""

    url: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Of its clock, which ticks with each change."""
    page: int = 2
    items: dict[str, Json] = field(default_factory=dict)
    changed_at: dict[str, int] = field(default_factory=dict)
    number: int = 0
    oldest: int = 0
    """Sync tokens from before are gone."""
    channels: list[Json] = field(default_factory=list)
    stopped: list[Json] = field(default_factory=list)
    refuses_channels: bool = False
    refuses_times: bool = False
    """Of what begins and ends."""
    queries: list[dict[str, str]] = field(default_factory=list)
    token: str = "a-token"
    tokens_given: int = 0
    refresh_token: str = "good"
    rotates: bool = False
    """Gives a refresh token for each that is used, which is no good any more."""
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, who asks for a token waits."""
    ttl_s: int | None = None

    def put(self, event_id: str, at: datetime | None = None, **rest: Any) -> None:
        """Makes or changes an event of one hour."""
        self._tick()
        before = self.items.get(event_id, {"id": event_id, "created": rfc(self.now), "status": "confirmed"})
        times = {}
        if at is not None:
            times = {"start": {"dateTime": rfc(at)}, "end": {"dateTime": rfc(at + timedelta(hours=1))}}
        self.items[event_id] = {**before, **times, **rest, "updated": rfc(self.now)}
        self.changed_at[event_id] = self.number

    def cancel(self, event_id: str) -> None:
        self.put(event_id, status="cancelled")

    def _tick(self) -> None:
        self.now += timedelta(seconds=2)
        self.number += 1

    # What it answers -----------------------------------------------------------------------------------

    async def give_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form["grant_type"] != "refresh_token" or form["refresh_token"] != self.refresh_token:
            said = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return web.json_response(said, status=400)
        self.tokens_given += 1
        answer = {"access_token": self.token, "expires_in": 3599, "token_type": "Bearer"}
        if self.rotates:
            self.refresh_token = answer["refresh_token"] = f"rotated-{self.tokens_given}"
        await self.answers.wait()
        return web.json_response(answer)

    async def list_events(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        query = dict(request.query)
        self.queries.append(query)
        token = query.get("syncToken", "")
        if self.refuses_times and "timeMin" in query:
            return _error(403, "Rate Limit Exceeded")
        if token and _INCOMPATIBLE & set(query):
            return _error(400, "Sync token cannot be used with other query restrictions")
        if token and int(token) < self.oldest:
            return _error(410, "Sync token is no longer valid, a full sync is required.")
        found = self._chosen(query, int(token) if token else None)
        begin = int(query.get("pageToken", "0"))
        body = {
            "kind": "calendar#events", "updated": rfc(self.now), "timeZone": "Europe/Berlin",
            "items": found[begin : begin + self.page],
        }  # fmt: skip
        if begin + self.page < len(found):
            body["nextPageToken"] = str(begin + self.page)
        elif "timeMin" not in query:
            body["nextSyncToken"] = str(self.number)
        return web.json_response(body)

    def _chosen(self, query: dict[str, str], since: int | None) -> list[Json]:
        if since is not None:
            return [one for one in self.items.values() if self.changed_at[one["id"]] > since]
        found = [one for one in self.items.values() if "showDeleted" in query or one["status"] != "cancelled"]
        if query.get("singleEvents") != "true":
            return found
        low, high = (datetime.fromisoformat(query[name]) for name in ("timeMin", "timeMax"))
        single = [instance for one in found for instance in _instances(one)]
        single = [one for one in single if _time(one["end"]) > low and _time(one["start"]) < high]
        return sorted(single, key=lambda one: _time(one["start"]))

    async def watch(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        if self.refuses_channels:
            return _error(401, "Unauthorized WebHook callback channel")
        asked = await request.json()
        ttl_s = self.ttl_s or int(asked["params"]["ttl"])
        expires = int((datetime.now(UTC).timestamp() + ttl_s) * 1000)
        self.channels.append(asked)
        return web.json_response({
            "kind": "api#channel", "id": asked["id"], "resourceId": "r1", "expiration": str(expires),
        })  # fmt: skip

    async def stop(self, request: web.Request) -> web.Response:
        self.stopped.append(await request.json())
        return web.Response(status=204)

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _error(401, "Request had invalid authentication credentials.")
        if request.match_info["calendar"] != "primary":
            return _error(404, "Not Found")
        return None


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"code": status, "message": message}}, status=status)


def _time(side: Json) -> datetime:
    return datetime.fromisoformat(side.get("dateTime") or side["date"] + "T00:00:00+00:00")


def _instances(event: Json) -> list[Json]:
    """Of a series, here always of so many days; of another event itself."""
    if "recurrence" not in event:
        return [event]
    count = int(event["recurrence"][0].removeprefix("RRULE:FREQ=DAILY;COUNT="))
    found = []
    for day in range(count):
        start = _time(event["start"]) + timedelta(days=day)
        sides = {"start": {"dateTime": rfc(start)}, "end": {"dateTime": rfc(start + timedelta(hours=1))}}
        named = {"id": f"{event['id']}_{start:%Y%m%dT%H%M%SZ}", "recurringEventId": event["id"]}
        found.append({name: value for name, value in event.items() if name != "recurrence"} | sides | named)
    return found


@asynccontextmanager
async def running_google() -> AsyncIterator[Google]:
    google, app = Google(), web.Application()
    google.answers.set()
    events = "/calendar/v3/calendars/{calendar}/events"
    app.router.add_post("/token", google.give_token)
    app.router.add_get(events, google.list_events)
    app.router.add_post(events + "/watch", google.watch)
    app.router.add_post("/calendar/v3/channels/stop", google.stop)
    async with TestServer(app) as server:
        google.url = str(server.make_url("/")).rstrip("/")
        yield google
