"""`wait`: the run goes on after some time, or at a moment. A type of Hopline's own: Dify has none."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator

from schemas.moments import read_moment, read_seconds, time_zone
from schemas.nodes.base import NodeData, Text
from schemas.selectors import Reference, in_text, of, split

When = Annotated[
    str | list[str] | None, BeforeValidator(lambda value: None if value in (None, "", []) else value)
]
"""A value as text, in which variables may stand, or a selector; null, "" and [] where it is left out."""

Unit = Literal["second", "minute", "hour", "day"]


class WaitData(NodeData):
    """`data` of a wait node. One of `duration` and `until` says how long."""

    duration: When = None
    """How many units."""
    duration_unit: Annotated[
        Unit, BeforeValidator(lambda value: value.removesuffix("s") if isinstance(value, str) else value)
    ] = "second"
    until: When = None
    """ISO 8601, or seconds since 1970. A moment that is over lets the run go on at once."""
    timezone: Text = "UTC"
    """IANA name: of the clock that `until` means where it gives no offset."""
    message: Text = ""
    reason: Text = ""
    """Templates: what is shown of the pause, `message` and `reason` of the seed's SchedulingPause."""

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for name, value in (("duration", self.duration), ("until", self.until)):
            yield from of(name, value) if isinstance(value, list) else in_text(name, value or "")
        yield from in_text("message", self.message)
        yield from in_text("reason", self.reason)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        if (self.duration is None) == (self.until is None):
            yield "duration", "give one of duration and until"
        try:
            time_zone(self.timezone)
        except ValueError as wrong:
            yield "timezone", str(wrong)
            return
        for name, value in (("duration", self.duration), ("until", self.until)):
            if value is not None and (why := self._fault(name, value)):
                yield name, why

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        yield "type", "is Hopline's own: Dify has no node that waits"

    def _fault(self, name: str, value: str | list[str]) -> str | None:
        if isinstance(value, list):
            return None if any(of(name, value)) else "is no selector: give the id of a node and a variable"
        if any(isinstance(part, tuple) for part in split(value)):
            return None
        try:
            if name == "duration":
                read_seconds(value, self.duration_unit)
            else:
                read_moment(value, self.timezone)
        except ValueError as wrong:
            return str(wrong)
        return None
