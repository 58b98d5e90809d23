"""Those who answer, cancel and resume runs in the chaos suite: until they are heard, some of them twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.chaos.doors import Doors
from bench.chaos.events import Event, events
from bench.chaos.people import People
from bench.journal import Journal

WATCHED = {"w-asks": "PAUSED", "w-fails": "FAILED"}


@dataclass
class Desk:
    """An API with one run, which goes on as soon as something was accepted."""

    event_id: str = ""
    status: str = "PAUSED"
    ended: str = "SUCCEEDED"
    """What the run is after that."""
    refusals: list[int] = field(default_factory=list)
    """What the next words are answered with."""
    heard: list[tuple[str, str]] = field(default_factory=list)
    """Verb and body of what came."""
    spoken: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v1/runs", self._list)
        app.router.add_get("/api/v1/runs/r-1", self._show)
        app.router.add_post("/api/v1/runs/r-1/{verb}", self._take)
        return app

    async def _list(self, request: web.Request) -> web.Response:
        assert WATCHED[request.query["workflow_id"]] == request.query["status"]
        if "cursor" not in request.query:
            # Another page has it.
            return web.json_response({"data": [{"id": "r-0", "inputs": {}}], "next_cursor": "more"})
        there = request.query["status"] == self.status
        runs = [{"id": "r-1", "inputs": {"event_id": self.event_id}}] if there else []
        return web.json_response({"data": runs, "next_cursor": None})

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response({"id": "r-1", "status": self.status})

    async def _take(self, request: web.Request) -> web.Response:
        self.heard.append((request.match_info["verb"], await request.text()))
        self.spoken.set()
        status = self.refusals.pop(0) if self.refusals else 202
        if status < 300:
            self.status = self.ended
        return web.json_response({}, status=status)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def people(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[People]:
    monkeypatch.setattr("bench.chaos.people._LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("bench.chaos.people._AGAIN_S", 0.01)
    async with TestServer(desk.app()) as server, Doors([str(server.make_url(""))], "key") as doors:
        with Journal(tmp_path / "journal") as journal:
            people = People(doors, journal, WATCHED)
            working = asyncio.create_task(people.work())
            yield people
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def event_of(kind: str, *, twice: bool = False) -> Event:
    found = next(event for event in events(1) if event.kind.name == kind)
    return replace(found, thought_s=0.0, twice=twice)


async def _done(people: People, desk: Desk, event: Event) -> list[str]:
    """The verbs that were heard."""
    desk.event_id = event.id
    people.expect(event)
    assert not await people.until_done(30)
    return [verb for verb, _ in desk.heard]


async def test_an_answer_is_given_until_it_is_taken(people: People, desk: Desk) -> None:
    desk.refusals = [503, 500, 409]
    assert await _done(people, desk, event_of("approve")) == ["resume"] * 4
    assert len({body for _, body in desk.heard}) == 1
    assert '"action":"approve"' in desk.heard[0][1]


async def test_an_answer_that_was_heard_though_its_own_was_lost_is_enough(people: People, desk: Desk) -> None:
    desk.ended = "PAUSED"
    desk.refusals = [503]
    event = event_of("reject")
    desk.event_id = event.id
    people.expect(event)
    await desk.spoken.wait()
    desk.status, desk.refusals = "SUCCEEDED", [409] * 1_000
    assert not await people.until_done(30)


@pytest.mark.parametrize(
    ("kind", "verb", "status"),
    [
        ("approve", "resume", "PAUSED"),
        ("cancel-delay", "cancel", "PAUSED"),
        ("resume-charge", "resume", "FAILED"),
    ],
)
async def test_some_say_it_twice(people: People, desk: Desk, kind: str, verb: str, status: str) -> None:
    desk.status = status
    assert await _done(people, desk, event_of(kind, twice=True)) == [verb] * 2


async def test_a_run_that_has_failed_is_resumed_until_that_is_accepted(people: People, desk: Desk) -> None:
    desk.status = desk.ended = "FAILED"
    desk.refusals = [503, 503, 409]
    assert await _done(people, desk, event_of("resume-charge")) == ["resume"] * 4
    assert {body for _, body in desk.heard} == {"{}"}


async def test_what_is_never_found_is_told(people: People, desk: Desk) -> None:
    desk.status = "RUNNING"
    people.expect(event_of("unanswered"))
    assert not await people.until_done(0.1)
    people.expect(event_of("approve"))
    assert await people.until_done(0.1) == [event_of("approve").id]
