"""Turns the records of many runs into what one reader is told, in the order of each run. Pure.

Each event has an id from which another gathering goes on, wherever that is.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from ingress.live.changes import LOGS, RUNS, Change, Event
from ingress.live.matching import Chosen
from ingress.live.positions import Positions
from ingress.live.story import Story
from schemas.codec import Record

PATIENCE_S = 1.0
"""How long the beginning or the end of a run is waited for by its nodes, and these by its end."""
_SETTLE_S = 0.05
"""How long the end of a run that was under way before is held back, so that nodes which were sent with it
come first: how many there are, nobody knows."""
_MOST_RUNS = 2_000
"""That are remembered: of the others, what comes is told as it comes."""
_MOST_ENDED = 10_000
_MOST_UNKNOWN = 1_000
"""That are asked about in one statement, which has an end to its length."""
_MOST_TRIGGERS = 10_000


class Sent(NamedTuple):
    """An event and its id."""

    event: Event
    id: str


class _Run:
    """One that goes on."""

    __slots__ = ("due", "fits", "is_whole", "must_ask", "ready", "record", "story")

    def __init__(self, *, is_whole: bool, fits: bool | None) -> None:
        self.story = Story(is_whole=is_whole, has_all_revisions=True)
        self.is_whole = is_whole
        self.fits = fits
        """None while too little is known of it."""
        self.must_ask = not is_whole
        self.record: Record | None = None
        self.ready: list[Event] = []
        """What waits for `fits`."""
        self.due: float | None = None


class Gathering:
    """Of one reader. `now` is any clock that does not run backwards, in seconds."""

    def __init__(self, chosen: Chosen, positions: Positions) -> None:
        self.positions = positions
        self._chosen = chosen
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._triggers: OrderedDict[str, str] = OrderedDict()
        self._told: dict[Change, int] = {}
        """How many events of a record have been told by another gathering."""

    def take(self, change: Change, now: float) -> Iterator[Sent]:
        """A record, of its partition the next. To be read to the end."""
        told = self.positions.take(change)
        if told is None:
            return
        run_id = change.run_id
        if run_id is None or run_id in self._ended or not self._chosen.may_fit(change.record):
            self.positions.done(change)
        elif change.topic == LOGS:
            self.positions.done(change)
            self._triggers[run_id] = change.record["trigger_type"]
            _trim(self._triggers, _MOST_TRIGGERS)
            if run_id in self._runs:
                yield from self._tell(run_id, now)
        else:
            if run_id not in self._runs:
                yield from self._make_room(now)
                self._runs[run_id] = self._new(change, told)
            if told:
                self._told[change] = told
            self._take(self._runs[run_id], change)
            yield from self._tell(run_id, now)

    def overdue(self, now: float) -> Iterator[Sent]:
        """What has been held back for long enough."""
        for run_id in [i for i, run in self._runs.items() if run.due is not None and run.due <= now]:
            run = self._runs[run_id]
            run.ready += run.story.release()
            run.must_ask = run.fits is None
            yield from self._tell(run_id, now)

    @property
    def next_due(self) -> float | None:
        """When `overdue` has something to do."""
        return min((run.due for run in self._runs.values() if run.due is not None), default=None)

    @property
    def unknown(self) -> list[str]:
        """Runs that somebody else must know: they have begun before. `judge` says whether they fit. Of very
        many the first."""
        found = (i for i, run in self._runs.items() if run.fits is None and run.ready and run.must_ask)
        return list(islice(found, _MOST_UNKNOWN))

    def judge(self, run_id: str, fits: bool, now: float) -> Iterator[Sent]:
        """For one of `unknown`."""
        run = self._runs.get(run_id)
        if run is not None and run.fits is None:
            run.fits = fits
            yield from self._tell(run_id, now)

    def _new(self, change: Change, told: int) -> _Run:
        """A start node comes before all other nodes of its run."""
        record = change.record
        is_first = record["revision"] == 1 and (change.topic == RUNS or record["index"] == 1)
        return _Run(is_whole=is_first and not told, fits=None if self._chosen.needs_run else True)

    def _take(self, run: _Run, change: Change) -> None:
        run.ready += run.story.take(change)
        if self._chosen.of_states:
            # Its nodes are not read: there is nothing to wait for.
            run.ready += run.story.release()
        if change.topic == RUNS:
            run.record = change.record
        if not run.story.holds(change) and all(event.change is not change for event in run.ready):
            self._done(change)

    def _tell(self, run_id: str, now: float) -> Iterator[Sent]:
        run = self._runs[run_id]
        if run.fits is None and run.record is not None:
            trigger = self._triggers.get(run_id)
            if trigger is not None or not self._chosen.needs_trigger:
                run.fits = self._chosen.fits_run(run.record, trigger)
        if run.fits is not None:
            ready, run.ready = run.ready, []
            for event in ready:
                if self._passes(event) and run.fits and self._chosen.tells(event):
                    yield Sent(event, str(self.positions))
        self._look_again(run_id, run, now)

    def _passes(self, event: Event) -> bool:
        """Moves on. Whether it is new to the reader."""
        told = self._told.get(event.change, 0)
        if event.is_last:
            self._done(event.change)
        elif told:
            self._told[event.change] = told - 1
        else:
            self.positions.told(event.change)
        return not told

    def _look_again(self, run_id: str, run: _Run, now: float) -> None:
        waits = run.story.is_waiting or bool(run.ready)
        if not waits:
            run.due = None
        elif run.due is None or run.due <= now:
            run.due = now + (PATIENCE_S if run.is_whole or run.ready else _SETTLE_S)
        if run.story.told.ended and not run.ready:
            del self._runs[run_id]
            self._ended[run_id] = None
            _trim(self._ended, _MOST_ENDED)

    def _make_room(self, now: float) -> Iterator[Sent]:
        """One of which it is not known yet whether it fits stays: what it has to tell would be lost."""
        if len(self._runs) < _MOST_RUNS:
            return
        run_id, run = next(((i, run) for i, run in self._runs.items() if run.fits is not None), (None, None))
        if run_id is None or run is None:
            return
        run.ready += run.story.release()
        yield from self._tell(run_id, now)
        self._runs.pop(run_id, None)

    def _done(self, change: Change) -> None:
        self.positions.done(change)
        self._told.pop(change, None)


def _trim(known: OrderedDict[str, Any], most: int) -> None:
    if len(known) > most:
        known.popitem(last=False)
