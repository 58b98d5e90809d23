"""Those who answer, cancel and resume runs: after a while, some of them twice, and until they are heard."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import orjson

from bench.chaos.doors import Doors, NoAnswer, Request
from bench.chaos.events import Event
from bench.chaos.kinds import Deed
from bench.journal import Journal

_LOOK_EVERY_S = 2.0
_AGAIN_S = 1.0
_PAGE = 500
_AT_ONCE = 8
"""Requests under way. Each has the history searched: more of them than it can answer in time would all be in
vain, and sent again."""
_JSON = {"Content-Type": "application/json"}


class People:
    """They look for runs as anybody can see them, and know what they want of each."""

    def __init__(self, doors: Doors, journal: Journal, watched: Mapping[str, str]) -> None:
        """`watched`: id of a workflow -> status in which its runs are to be found."""
        self._doors = doors
        self._journal = journal
        self._watched = watched
        self._wanted: dict[str, Event] = {}
        self._under_way: set[str] = set()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._done = asyncio.Event()
        self._done.set()
        self._turn = 0

    def expect(self, event: Event) -> None:
        """Its run is going to wait for somebody."""
        if event.kind.deed is not None:
            self._wanted[event.id] = event
            self._done.clear()

    async def work(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                began = time.monotonic()
                for workflow_id, status in self._watched.items():
                    async for run in self._runs(workflow_id, status):
                        event = self._wanted.get(str((run.get("inputs") or {}).get("event_id")))
                        if event is not None and event.id not in self._under_way:
                            self._under_way.add(event.id)
                            group.create_task(self._do(event, run["id"]))
                # Who has much to look through does not keep the history from all others.
                await asyncio.sleep(max(_LOOK_EVERY_S, 2 * (time.monotonic() - began)))

    async def until_done(self, patience_s: float) -> list[str]:
        """Until all that is expected has been done, or nothing of it for that long. The ids of events whose
        runs were not found, or of which nobody would hear."""
        while (left := len(self._wanted)) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), patience_s)
            if len(self._wanted) == left:
                break
        return sorted(self._wanted)

    async def _runs(self, workflow_id: str, status: str) -> AsyncIterator[dict[str, Any]]:
        """All pages of them, as far as they are answered."""
        query = {"workflow_id": workflow_id, "status": status, "limit": str(_PAGE)}
        while True:
            page = await self._get(f"/api/v1/runs?{urlencode(query)}")
            if page is None:
                return
            for run in page["data"]:
                yield run
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    async def _do(self, event: Event, run_id: str) -> None:
        await asyncio.sleep(event.thought_s)
        for request in self._requests(event, run_id):
            await self._insist(event, run_id, request)
        del self._wanted[event.id]
        if not self._wanted:
            self._done.set()

    def _requests(self, event: Event, run_id: str) -> Iterator[Request]:
        """What is to be heard, and what may follow it without effect."""
        deed = event.kind.deed
        assert deed is not None
        if deed is Deed.CANCEL:
            body = orjson.dumps({"reason": "changed my mind"})
            yield from [_post(f"/api/v1/runs/{run_id}/cancel", body)] * (1 + event.twice)
            return
        path = f"/api/v1/runs/{run_id}/resume"
        if deed is Deed.RESUME:
            yield from [_post(path, b"{}")] * (1 + event.twice)
            return
        answer = {"action": deed.value, "inputs": {"reason": f"of {event.id}"}}
        yield _post(path, orjson.dumps({**answer, "interaction_id": f"{event.id}/1"}))
        if event.twice:
            # The same click once more, or another one on the same button.
            number = 1 + event.number % 2
            yield _post(path, orjson.dumps({**answer, "interaction_id": f"{event.id}/{number}"}))

    async def _insist(self, event: Event, run_id: str, request: Request) -> None:
        """Until it is taken, or until the run has ended."""
        verb, may_be_late = request.path.rsplit("/", 1)[-1], event.kind.deed is not Deed.RESUME
        while True:
            try:
                async with self._free:
                    self._journal.note(f"tells to {verb}", event.id)
                    answer = await self._doors.send(request, self._next())
            except NoAnswer as lost:
                self._journal.note(f"{verb}: {lost}", event.id)
            else:
                self._journal.note(f"{verb}: {answer.status}", event.id)
                if answer.is_good or (may_be_late and await self._has_gone_on(run_id)):
                    return
            await asyncio.sleep(_AGAIN_S)

    async def _has_gone_on(self, run_id: str) -> bool:
        """Whether it waits no more: an earlier request was heard, though its answer was lost."""
        run = await self._get(f"/api/v1/runs/{run_id}")
        return run is not None and run["status"] not in ("PAUSED", "RUNNING")

    async def _get(self, path: str) -> Any:
        """None where nothing good is answered."""
        try:
            answer = await self._doors.send(Request(path, b"", {}, with_key=True, method="GET"), self._next())
        except NoAnswer:
            return None
        return answer.json() if answer.is_good else None

    def _next(self) -> int:
        self._turn += 1
        return self._turn


def _post(path: str, body: bytes) -> Request:
    return Request(path, body, _JSON, with_key=True)
