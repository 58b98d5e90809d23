"""Calendars at a stand-in of Google's, watched: what changes, what begins and ends, and notifications."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import aiohttp
import orjson
import pytest

from schemas.codec import SingleObjectCodec
from schemas.models import AppTrigger, DeploymentStatus
from schemas.triggers.google_calendar import GoogleCalendarConfig, channel_token
from streams.shell.stage import Record
from streams.sources.calendar import watcher as watching
from streams.sources.calendar.watcher import CalendarSource
from streams.sources.oauth import AccessTokens
from streams.sources.rows import row_due
from streams.sources.stage import Sources
from streams.sources.watchers import Watchers
from streams.sources.watching import Unavailable
from tests.streams.kept import KeptRows
from tests.streams.sources.google import Google, running_google
from tests.streams.sources.partition import Owner, Partition
from tests.streams.sources.watched import Watched
from transport.definitions import Definitions
from transport.egress import EgressPolicy
from transport.feed import DefinitionsFeed
from transport.guarded_session import EgressGuard
from transport.plugin_http import PluginHttp

CODEC = SingleObjectCodec()
SECRET = "k" * 32


class Feed:
    """With the trigger."""

    def __init__(self) -> None:
        self.definitions = Definitions()

    def offset(self, topic: str) -> int:
        return 5


class Diary:
    """A calendar, what watches it, and the stage that waits for its times."""

    def __init__(self, google: Google, session: aiohttp.ClientSession) -> None:
        self.google = google
        self.session = session
        self.now = datetime.now(UTC)
        self.feed = Feed()
        self.stage = Sources(
            cast(DefinitionsFeed, self.feed), CODEC, cast(Watchers, None), cast(AccessTokens, None)
        )
        self.rows = KeptRows()
        self.fired: list[dict[str, Any]] = []

    def source(self, public_url: str = "") -> CalendarSource:
        http, tokens = PluginHttp(self.session), Owner(Partition(), self.session).tokens
        return CalendarSource(http, tokens, CODEC, public_url=public_url, secret_key=SECRET, clock=self.clock)

    def clock(self) -> float:
        return self.now.timestamp()

    async def planned(self, *names: str) -> Watched:
        """That has seen these, which begin in ten minutes."""
        for name in names:
            self.google.put(name, self.now + timedelta(minutes=10), summary=name)
        watched = self.watched()
        await self.look(watched)
        return watched

    def watched(self, **config: Any) -> Watched:
        oauth = {"client_id": "c", "refresh_token": "good", "token_url": f"{self.google.url}/token"}
        given = {"oauth": oauth, "api_url": f"{self.google.url}/calendar/v3", **config}
        settings = GoogleCalendarConfig.model_validate(given)
        watched = Watched(settings)
        watched.since_s = self.google.now.timestamp() + 1
        trigger = watched.watch().trigger.model_copy(update={"config": settings.model_dump(mode="json")})
        self.put(trigger)
        return watched

    def put(self, trigger: AppTrigger) -> None:
        self.feed.definitions.apply("definitions.triggers", trigger.id, trigger)

    async def look(self, watched: Watched) -> None:
        """A watcher begins, looks once and ends; the stage gets what it was sent."""
        watched.sent.clear()
        async with watched.by(self.source()):
            await watched.at_rest()
        for send in watched.sent:
            record = Record("source.commands", 0, 0, send.key, send.value, (), 0)
            self._apply(self.stage.decide(record, self.rows, self.clock()).writes)

    def wait(self, until: datetime) -> None:
        """Serves what is due by then."""
        self.now = until
        for key, row in sorted(self.rows.items()):
            due = row_due(key, row)
            if due is not None and due <= self.clock():
                decision = self.stage.on_due(key, row, self.rows, self.clock())
                self.fired += [CODEC.decode("TriggerEvent", send.value or b"") for send in decision.sends]
                self._apply(decision.writes)

    def _apply(self, writes: dict[str, bytes | None]) -> None:
        for key, row in writes.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row

    @property
    def names(self) -> list[str]:
        """Kind and title of what has been fired."""
        return [f"{data['kind']} {data['body']['summary']}" for data in map(_data, self.fired)]


def _data(event: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = orjson.loads(event["data"])
    return data


def told(watched: Watched) -> list[tuple[str, str]]:
    return [(event.data["kind"], event.data["body"]["id"]) for event in watched.events]


@pytest.fixture
async def diary() -> AsyncIterator[Diary]:
    async with running_google() as google, EgressGuard(EgressPolicy(["127.0.0.1"])).session() as session:
        yield Diary(google, session)


ALL = ("created", "updated", "cancelled")


async def test_changes_become_events(diary: Diary) -> None:
    google = diary.google
    for number in range(5):
        google.put(f"old{number}", diary.now, summary="old")
    watched = diary.watched(events=ALL)
    await diary.look(watched)
    assert watched.events == []
    google.put("a", diary.now, summary="A")
    google.put("old1", summary="moved")
    google.cancel("old2")
    google.put("b", diary.now)
    google.put("b", summary="B")
    await diary.look(watched)
    assert told(watched) == [("updated", "old1"), ("cancelled", "old2"), ("created", "a"), ("created", "b")]
    [event] = [event for event in watched.events if event.data["body"]["id"] == "a"]
    assert (event.event_type, event.subject) == ("calendar.created", "a")
    await diary.look(watched)
    assert len(watched.events) == 4
    assert watched.position is not None
    # Beside the token, Google wants the parameters of the first list.
    first = {"maxResults": "250", "showDeleted": "true"}
    assert google.queries[0] == first
    assert google.queries[-1] == {**first, "syncToken": watched.position["sync_token"]}


async def test_only_what_is_wanted_is_told(diary: Diary) -> None:
    watched = diary.watched(events=("cancelled",), summary={"regex": "^Team"})
    diary.google.put("a", diary.now, summary="Team")
    diary.google.put("b", diary.now, summary="Other")
    await diary.look(watched)
    diary.google.cancel("a")
    diary.google.cancel("b")
    await diary.look(watched)
    refusals = [watched.settings.refusal(event.data) for event in watched.events]
    assert told(watched) == [("cancelled", "a"), ("cancelled", "b")]
    assert refusals == [None, "the event does not pass the filter summary: /^Team/"]


async def test_a_sync_token_that_is_gone_fires_nothing_old_and_loses_nothing(diary: Diary) -> None:
    google = diary.google
    google.put("old", diary.now)
    watched = diary.watched(events=ALL)
    await diary.look(watched)
    google.put("new", diary.now)
    google.cancel("old")
    google.oldest = google.number
    await diary.look(watched)
    assert sorted(told(watched)) == [("cancelled", "old"), ("created", "new")]
    google.put("next", diary.now)
    await diary.look(watched)
    assert told(watched)[2:] == [("created", "next")]


async def test_what_crashed_before_the_position_was_kept_has_the_same_identity(diary: Diary) -> None:
    watched = diary.watched(events=ALL)
    await diary.look(watched)
    before = watched.position
    diary.google.put("a", diary.now)
    await diary.look(watched)
    watched.position = before
    await diary.look(watched)
    first, again = watched.events
    assert first.identity == again.identity


async def test_starts_and_ends_fire_once_at_their_times(diary: Diary) -> None:
    begin = diary.now
    diary.google.put("a", begin + timedelta(minutes=20), summary="A")
    watched = diary.watched(events=("started", "ended"), minutes_before=5)
    await diary.look(watched)
    diary.wait(begin + timedelta(minutes=14))
    assert diary.names == []
    diary.wait(begin + timedelta(minutes=15))
    diary.wait(begin + timedelta(minutes=16))
    await diary.look(watched)
    assert diary.names == ["started A"]
    diary.wait(begin + timedelta(minutes=60))
    await diary.look(watched)
    diary.wait(begin + timedelta(minutes=75))
    await diary.look(watched)
    diary.wait(begin + timedelta(minutes=80))
    assert diary.names == ["started A", "ended A"]
    event = diary.fired[0]
    assert (event["trigger_type"], event["index_key"]) == ("GOOGLE_CALENDAR", "t1")
    assert abs(event["received_at"] / 1e6 - (begin + timedelta(minutes=15)).timestamp()) < 1
    diary.wait(begin + timedelta(days=10))
    assert [key for key in diary.rows if "/" in key] == []


async def test_a_row_that_is_decided_again_fires_the_same_event(diary: Diary) -> None:
    diary.google.put("a", diary.now + timedelta(minutes=5), summary="A")
    await diary.look(diary.watched())
    before = KeptRows(diary.rows)
    diary.wait(diary.now + timedelta(minutes=6))
    diary.rows = before
    diary.wait(diary.now)
    first, again = diary.fired
    assert first == again


async def test_an_event_that_moves_or_goes_fires_as_it_is_then(diary: Diary) -> None:
    begin = diary.now
    watched = await diary.planned("moves", "goes")
    diary.google.put("moves", begin + timedelta(minutes=20))
    diary.google.cancel("goes")
    await diary.look(watched)
    diary.wait(begin + timedelta(minutes=19))
    assert diary.names == []
    diary.wait(begin + timedelta(minutes=20))
    assert diary.names == ["started moves"]


async def test_what_changed_before_the_times_could_be_listed_is_listed_later(diary: Diary) -> None:
    begin = diary.now
    watched = await diary.planned("moves", "goes")
    diary.google.put("moves", begin + timedelta(minutes=5))
    diary.google.cancel("goes")
    diary.google.refuses_times = True
    with pytest.raises(Unavailable, match="Rate Limit"):
        await diary.look(watched)
    diary.google.refuses_times = False
    await diary.look(watched)
    diary.wait(begin + timedelta(minutes=5))
    assert diary.names == ["started moves"]
    diary.wait(begin + timedelta(minutes=20))
    assert diary.names == ["started moves"]


async def test_who_looks_every_hour_is_told_of_a_start_in_time(diary: Diary) -> None:
    diary.google.put("a", diary.now + timedelta(minutes=58), summary="A")
    await diary.look(diary.watched(check_interval=3600))
    diary.wait(diary.now + timedelta(minutes=58))
    assert diary.names == ["started A"]


async def test_each_of_a_series_fires_and_the_series_is_one_change(diary: Diary) -> None:
    watched = diary.watched(events=("created", "started"))
    await diary.look(watched)
    begin = diary.now + timedelta(minutes=10)
    diary.google.put("daily", begin, summary="S", recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    await diary.look(watched)
    assert told(watched) == [("created", "daily")]
    for day in range(3):
        diary.wait(begin + timedelta(days=day, minutes=-15))
        await diary.look(watched)
        diary.wait(begin + timedelta(days=day))
    assert diary.names == ["started S"] * 3
    assert len({event["trigger_id"] for event in diary.fired}) == 3


async def test_a_whole_day_begins_at_midnight_in_the_zone_of_the_calendar(diary: Diary) -> None:
    day = (diary.now + timedelta(days=2)).date()
    diary.google.put("d", summary="D", start={"date": f"{day}"}, end={"date": f"{day + timedelta(days=1)}"})
    watched = diary.watched(minutes_before=3 * 1440)
    watched.since_s = diary.now.timestamp() - 3 * 86_400
    watched.position = {
        "sync_token": "", "updated": "2020-01-01T00:00:00Z", "listed_s": watched.since_s, "channel": None,
    }  # fmt: skip
    await diary.look(watched)
    [due] = [row_due(key, row) for key, row in diary.rows.items() if "/" in key]
    assert due is not None
    in_berlin = datetime.fromtimestamp(due + 3 * 86_400, UTC) - datetime.combine(
        day, datetime.min.time(), UTC
    )
    assert in_berlin in (timedelta(hours=-1), timedelta(hours=-2))


async def test_what_had_begun_before_the_trigger_was_there_does_not_fire(diary: Diary) -> None:
    diary.google.put("a", diary.now - timedelta(minutes=5), summary="A")
    watched = diary.watched(events=("started", "ended"))
    await diary.look(watched)
    diary.wait(diary.now + timedelta(hours=2))
    assert diary.names == ["ended A"]


@pytest.mark.parametrize("gone", [True, False])
async def test_a_trigger_that_is_gone_fires_no_more(diary: Diary, gone: bool) -> None:
    diary.google.put("a", diary.now + timedelta(minutes=5), summary="A")
    watched = diary.watched()
    await diary.look(watched)
    trigger = diary.feed.definitions.triggers["t1"]
    if gone:
        diary.feed.definitions.apply("definitions.triggers", "t1", None)
    else:
        diary.put(trigger.model_copy(update={"deployment_status": DeploymentStatus.UNDEPLOYED}))
    diary.wait(diary.now + timedelta(minutes=6))
    assert diary.fired == []


async def test_google_tells_of_changes_where_it_can_reach_us(diary: Diary) -> None:
    watched = diary.watched(events=ALL)
    source = diary.source("https://hopline.example.com")
    async with watched.by(source):
        await watched.at_rest()
        [channel] = diary.google.channels
        assert channel["type"] == "web_hook"
        assert channel["address"] == "https://hopline.example.com/api/v1/google/calendar/t1"
        assert channel["token"] == channel_token(SECRET, "t1")
        diary.google.put("a", diary.now)
        watched.news.set()
        await watched.until(1)
    assert len(diary.google.channels) == 1
    diary.now += timedelta(seconds=watching._CHANNEL_S - 600)
    async with watched.by(source):
        await watched.at_rest()
    first, second = diary.google.channels
    assert diary.google.stopped == [{"id": first["id"], "resourceId": "r1"}]
    assert watched.position is not None
    assert watched.position["channel"][0] == second["id"]


async def test_without_notifications_it_looks(diary: Diary) -> None:
    diary.google.refuses_channels = True
    watched = diary.watched(events=ALL)
    async with watched.by(diary.source("https://hopline.example.com")):
        await watched.at_rest()
        diary.google.refuses_channels = False
        diary.google.put("a", diary.now)
        watched.news.set()
        await watched.until(1)
    # It is not asked again for an hour.
    assert diary.google.channels == []


async def test_an_address_that_google_does_not_post_to_is_not_given(diary: Diary) -> None:
    watched = diary.watched(events=ALL)
    async with watched.by(diary.source("http://hopline.example.com")):
        await watched.at_rest()
    assert diary.google.channels == []


async def test_a_token_that_is_not_taken_any_more_is_renewed(diary: Diary) -> None:
    watched = diary.watched(events=ALL)
    source = diary.source()
    async with watched.by(source):
        await watched.at_rest()
    diary.google.token = "another"
    with pytest.raises(Unavailable, match="401"):
        await source.watch(watched.watch())
    async with watched.by(source):
        await watched.at_rest()
    assert diary.google.tokens_given == 2


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"calendar_id": "nobody"}, "calendar nobody: 404 Not Found"),
        ({"oauth": {"client_id": "c", "client_secret": "hush", "refresh_token": "bad"}}, "invalid_grant"),
        ({"api_url": "http://127.0.0.1:1/x"}, "127.0.0.1:1"),
    ],
)
async def test_what_is_wrong_is_said(diary: Diary, config: dict[str, Any], why: str) -> None:
    if "oauth" in config:
        config = {"oauth": {**config["oauth"], "token_url": f"{diary.google.url}/token"}}
    with pytest.raises(Unavailable, match=why) as raised:
        await diary.source().watch(diary.watched(**config).watch())
    assert "hush" not in str(raised.value)
