"""Server-Sent Events, line by line: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from dataclasses import dataclass
from typing import NamedTuple


class ServerSentEvent(NamedTuple):
    """One event."""

    name: str
    data: str
    id: str
    """Of this event or the last before it that had one."""


@dataclass(slots=True)
class EventReader:
    """Of one stream, and of those that go on where it ended."""

    last_id: str = ""
    """What to come back with."""
    retry_s: float = 1.0
    """After how long, as the server says."""
    _name: str = ""
    _data: str | None = None
    _id: str = ""

    def take(self, line: str) -> ServerSentEvent | None:
        """A line without its end; the event that it ends. An event without data is none, but has its id."""
        if line:
            self._field(*line.partition(":")[::2])
            return None
        name, data = self._name or "message", self._data
        self._name, self._data = "", None
        self.last_id = self._id or self.last_id
        return None if data is None else ServerSentEvent(name, data, self.last_id)

    def forget(self) -> None:
        """The connection has ended within an event, which does not count."""
        self._name, self._data, self._id = "", None, self.last_id

    def _field(self, name: str, value: str) -> None:
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data = value if self._data is None else f"{self._data}\n{value}"
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdecimal():
            self.retry_s = int(value) / 1000
