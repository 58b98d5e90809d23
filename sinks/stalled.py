"""Records of topics whose tables take nothing at the moment. The others go on without them."""

import math
from collections.abc import Mapping, Set

from sinks.batch import Batch
from sinks.settings import SinkSettings

_FIRST_PAUSE_S = 0.1


class Stalled:
    """Nothing more is read of these topics until they are written, so that this stays as small as it is."""

    def __init__(self, settings: SinkSettings) -> None:
        self.batch = Batch(settings)
        """What could not be written. Nothing is added but by `take`."""
        self._reasons: dict[str, str] = {}
        self._longest_s = settings.retry_max_s
        self._pause_s = _FIRST_PAUSE_S
        self._again_at = math.inf

    @property
    def topics(self) -> Set[str]:
        """Of which nothing may be read and written."""
        return frozenset(self._reasons)

    @property
    def reason(self) -> str:
        """What one of the tables says."""
        return next(iter(self._reasons.values()), "")

    def due_in(self, now: float) -> float:
        """Seconds until they should be tried again; infinite while there are none."""
        return self._again_at - now

    def take(self, batch: Batch, failed: Mapping[str, Exception], now: float) -> None:
        """Topics that could not be written, and why; the rest stays in `batch`."""
        batch.move(failed, self.batch)
        self._reasons.update({topic: str(reason) for topic, reason in failed.items()})
        if failed:
            self._again_at = min(self._again_at, now + self._pause_s)

    def tried(self, failed: Mapping[str, Exception], now: float) -> Batch:
        """All of them have been tried again. Returns what is written, to be committed."""
        written = Batch(self.batch.settings)
        self.batch.move([topic for topic in self._reasons if topic not in failed], written)
        self._reasons = {topic: str(reason) for topic, reason in failed.items()}
        self._pause_s = min(2 * self._pause_s, self._longest_s) if failed else _FIRST_PAUSE_S
        self._again_at = now + self._pause_s if failed else math.inf
        return written
