"""How soon to do again what has a price of its own, however many records it is for. Pure.

A fetch names every partition of the worker, and a request of a producer each that it brings something for;
with a record in each, that costs as much CPU as the work of the record. So who is busy leaves a distance
between two of them, and what comes meanwhile goes together. What comes now and then goes at once.
"""

import math

_WINDOW_S = 0.25
"""Over which the rate is taken."""

_PLENTY = 1_000
"""Records of one time. There is a backlog, and no reason to wait for more."""


class Pace:
    """Of one who fetches or sends. `now` is any clock that does not run backwards, in seconds."""

    def __init__(self, per_record_s: float, most_s: float) -> None:
        """`per_record_s`: what each record a second adds to the distance, which is `most_s` at most."""
        self._per_record_s = per_record_s
        self._most_s = most_s
        self.rate = 0.0
        """Records a second, the last of them counting most."""
        self._done_at = -math.inf
        self._next_at = -math.inf

    def done(self, records: int, now: float) -> None:
        """So many were fetched or sent."""
        self.rate = self.rate * math.exp((self._done_at - now) / _WINDOW_S) + records / _WINDOW_S
        self._done_at = now
        distance = min(self._most_s, self.rate * self._per_record_s) if 0 < records < _PLENTY else 0.0
        self._next_at = now + distance

    def wait_s(self, now: float) -> float:
        """How long to wait before the next time; 0 where it is time."""
        return max(0.0, self._next_at - now)
