"""The producer's own account of what it has sent: the one witness that the system under test can't touch."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self


class Journal:
    """Which orders have been acknowledged. Each line of its file is a verb and an order id, in order of time.

    The file is for whoever looks for an order that is missing; the answers are in memory. A context manager.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acknowledged: set[str] = set()
        """Orders that were answered with 2xx at least once."""
        self.posts = 0
        """Requests that were answered with 2xx."""
        self.retries = 0
        """Requests that were not, and were sent again."""
        self._file = path.open("w", buffering=1 << 16)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def repeats(self) -> int:
        """Acknowledged requests beyond the first of their order."""
        return self.posts - len(self.acknowledged)

    def sending(self, order_ids: Iterable[str]) -> None:
        """Before the request; an order that stays here may have a run or none, but never two."""
        self._write("sending", order_ids)

    def accepted(self, order_id: str) -> None:
        """The answer was 2xx."""
        self.posts += 1
        self.acknowledged.add(order_id)
        self._write("accepted", (order_id,))

    def refused(self, order_id: str, reason: str) -> None:
        """No answer, or another one; the order is sent again."""
        self.retries += 1
        self._write(f"refused: {reason}", (order_id,))

    def _write(self, verb: str, order_ids: Iterable[str]) -> None:
        self._file.writelines(f"{verb} {order_id}\n" for order_id in order_ids)
