"""The producer's own account of what it has sent: the one witness that the system under test can't touch."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self


class Journal:
    """Which events have been acknowledged. Each line of its file is a verb and an event, in order of time.

    The file is for whoever looks for an event that is missing; the answers are in memory. A context manager.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acknowledged: set[str] = set()
        """Events that were answered with 2xx at least once."""
        self.posts = 0
        """Requests that were answered with 2xx."""
        self.retries = 0
        """Requests that were not, and were sent again."""
        self._file = path.open("w", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def repeats(self) -> int:
        """Acknowledged requests beyond the first of their event."""
        return self.posts - len(self.acknowledged)

    def sending(self, event_ids: Iterable[str]) -> None:
        """Before the request; an event that stays here may have a run or none, but never two."""
        self._file.writelines(f"sending {event_id}\n" for event_id in event_ids)

    def accepted(self, event_id: str) -> None:
        """The answer was 2xx."""
        self.posts += 1
        self.acknowledged.add(event_id)
        self.note("accepted", event_id)

    def refused(self, event_id: str, reason: str) -> None:
        """No answer, or another one; the event is sent again."""
        self.retries += 1
        self.note(f"refused: {reason}", event_id)

    def note(self, verb: str, event_id: str) -> None:
        """Something else that was done to it."""
        self._file.write(f"{verb} {event_id}\n")
