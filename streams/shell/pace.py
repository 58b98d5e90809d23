"""How soon the reader fetches again. Pure.

A fetch names every partition of the worker, in aiokafka's request, in Kafka's look at each, and in the
answer: with its 132 by default it costs as much CPU as a run. So a busy worker leaves a distance between
them, and what comes meanwhile is decided and sent together. Where a record comes now and then, each is
fetched when it is there.
"""

import math

_WINDOW_S = 0.25
"""Over which the rate is taken."""

_RATE_S = 3e-5
"""What each record a second adds to the distance: below some 180 a second they come further apart than it."""

_MOST_S = 0.01

_PLENTY = 500
"""Records of one fetch. There is a backlog, and no reason to wait for more."""


class Pace:
    """Of one reader. `now` is any clock that does not run backwards, in seconds."""

    def __init__(self) -> None:
        self._rate = 0.0
        """Records a second, the last of them counting most."""
        self._fetched_at = -math.inf
        self._next_at = -math.inf

    def fetched(self, records: int, now: float) -> None:
        """A fetch has returned so many."""
        self._rate = self._rate * math.exp((self._fetched_at - now) / _WINDOW_S) + records / _WINDOW_S
        self._fetched_at = now
        distance = min(_MOST_S, self._rate * _RATE_S) if 0 < records < _PLENTY else 0.0
        self._next_at = now + distance

    def wait_s(self, now: float) -> float:
        """How long to wait before the next one; 0 where it is time."""
        return max(0.0, self._next_at - now)
