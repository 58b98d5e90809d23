"""Which node executions are to stop, and stopping those that this worker is at work on. See docs/adr/0021."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from types import TracebackType
from typing import Self

MOST_REMEMBERED = 50_000
"""Some 8 MB. Beyond it the oldest are forgotten: their tasks are executed, and nobody takes the results."""


class Interruptions:
    """Used on the loop's thread."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        """`most`: executions that are remembered for a task that comes later than its cancel."""
        self._most = most
        self._cancelled: OrderedDict[bytes, None] = OrderedDict()
        """The oldest first. Shorter than the ids themselves."""
        self._running: dict[str, Interruptible] = {}

    def cancel(self, execution_ids: Iterable[str]) -> None:
        """Interrupts those that are under way here, and remembers all for when they come."""
        for execution_id in execution_ids:
            self._cancelled[_short(execution_id)] = None
            if running := self._running.get(execution_id):
                running.interrupt()
        while len(self._cancelled) > self._most:
            self._cancelled.popitem(last=False)

    def __contains__(self, execution_id: str) -> bool:
        """Whether nobody waits for it."""
        return _short(execution_id) in self._cancelled

    def is_under_way(self, execution_id: str) -> bool:
        """Whether this worker is at work on it."""
        return execution_id in self._running

    def during(self, execution_id: str) -> "Interruptible":
        """An async context manager around the work on an execution that is not under way."""
        return Interruptible(execution_id, self._running)


class Interruptible:
    """Ends its body where it stands, by cancellation, when it is interrupted; what comes after goes on.

    `interrupted` tells afterwards. Cancellation by others passes through, as with `asyncio.timeout`.
    """

    def __init__(self, execution_id: str, running: "dict[str, Interruptible]") -> None:
        self._execution_id = execution_id
        self._running = running
        self.interrupted = False

    def interrupt(self) -> None:
        """At once, but for what the body does on its way out."""
        if not self.interrupted:
            self.interrupted = True
            self._task.cancel()

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancels = task, task.cancelling()
        self._running[self._execution_id] = self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        del self._running[self._execution_id]
        if not self.interrupted:
            return False
        # Whoever else wants this task to end has counted as well.
        only_ours = self._task.uncancel() <= self._cancels
        return only_ours and kind is not None and issubclass(kind, asyncio.CancelledError)


def _short(execution_id: str) -> bytes:
    """The 16 bytes that a UUID stands for; any other text as it is."""
    try:
        return bytes.fromhex(execution_id.replace("-", ""))
    except ValueError:
        return execution_id.encode()
