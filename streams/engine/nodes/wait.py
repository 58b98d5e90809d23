"""wait: until when, from what the run knows, and what comes of having waited."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.moments import read_moment, read_seconds
from schemas.nodes.wait import WaitData
from schemas.pauses import SCHEDULING_PAUSE, Answer
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Asked, Asking, Outcome
from streams.engine.pool import Pool, getter, or_none
from streams.engine.texts import Text, compile_text

_US = 1_000_000


@dataclass(frozen=True, slots=True)
class WaitNode:
    """Its outputs are `resume_at`, in whole seconds since 1970, and `resumed_early`."""

    data: WaitData
    value: Callable[[Pool], Any]
    message: Text
    reason: Text

    def ask(self, pool: Pool, asking: Asking) -> Asked:
        """See `PauseNode.ask`."""
        value = self.value(pool)
        given = {"until": value}
        if self.data.until is None:
            given = {"duration": value, "duration_unit": self.data.duration_unit}
        try:
            ends_at = self._ends_at(value, asking)
        except ValueError as wrong:
            raise NodeFailure(str(wrong), "WaitError", given) from wrong
        metadata = {"type": SCHEDULING_PAUSE, "message": self.message(pool), "resume_at": ends_at // _US}
        return Asked(metadata | {"reason": self.reason(pool)}, ends_at, given)

    def answered(self, metadata: Mapping[str, Any], answer: Answer) -> Outcome:
        """See `PauseNode.answered`."""
        return Outcome({}, {"resume_at": metadata["resume_at"], "resumed_early": True})

    def expired(self, metadata: Mapping[str, Any]) -> Outcome:
        """See `PauseNode.expired`."""
        return Outcome({}, {"resume_at": metadata["resume_at"], "resumed_early": False})

    def _ends_at(self, value: Any, asking: Asking) -> int:
        """Microseconds. Raises `ValueError` for no time, and for one that is too far away."""
        if self.data.until is None:
            wait_s = read_seconds(value, self.data.duration_unit)
        else:
            ends_at = read_moment(value, self.data.timezone)
            wait_s = (ends_at - asking.now_us) / _US
        if wait_s > asking.max_wait_s:
            raise ValueError(
                f"a wait of {wait_s:.0f} s is too long: at most {asking.max_wait_s} s are allowed"
            )
        return ends_at if self.data.until is not None else asking.now_us + round(wait_s * _US)


def compile_wait(data: WaitData) -> WaitNode:
    """The time and the texts, compiled."""
    when = data.duration if data.until is None else data.until
    return WaitNode(data, _value(when or ""), compile_text(data.message), compile_text(data.reason))


def _value(when: str | list[str]) -> Callable[[Pool], Any]:
    if isinstance(when, str):
        return compile_text(when)
    get = getter(when)
    return lambda pool: or_none(get(pool))
