"""Who looks for delivery reports: a thread that waits for them, or the loop itself while it is busy.

The thread has a report the moment it comes. But with many of them it wakes for each request, and takes the
interpreter from the loop, which is told of them later anyway; so the loop then looks once a millisecond.
"""

import asyncio
import threading
from collections.abc import Callable

_LOOK_S = 0.001
_BUSY_S = 0.1
"""For how long after the last request of one who is busy the loop looks."""
_POLL_S = 0.1


class Reports:
    """Of one librdkafka producer, whose callbacks are called on either thread, one at a time."""

    def __init__(self, poll: Callable[[float], int], resolve: Callable[[], None]) -> None:
        """`poll` is the producer's. `resolve` is called on the loop's thread once some have come."""
        self._poll = poll
        self._resolve = resolve
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.TimerHandle | None = None
        self._busy_until = 0.0
        self._polling = threading.Lock()
        self._quiet = threading.Event()
        self._quiet.set()
        self._closing = False
        self._thread = threading.Thread(target=self._wait, name="producer-poll", daemon=True)
        self._thread.start()

    def are_many(self) -> None:
        """Called on the loop's thread, for each request while it is so."""
        self._busy_until = self._loop.time() + _BUSY_S
        if self._looking is None and not self._closing:
            self._quiet.clear()
            self._looking = self._loop.call_later(_LOOK_S, self._look)

    async def close(self) -> None:
        """Nobody looks from now on."""
        self._closing = True
        if self._looking is not None:
            self._looking.cancel()
        self._quiet.set()
        await asyncio.to_thread(self._thread.join)

    def _look(self) -> None:
        # While the thread still waits as before, it has the next reports.
        if self._polling.acquire(blocking=False):
            try:
                self._poll(0)
            finally:
                self._polling.release()
            self._resolve()
        if self._loop.time() < self._busy_until:
            self._looking = self._loop.call_later(_LOOK_S, self._look)
        else:
            self._looking = None
            self._quiet.set()

    def _wait(self) -> None:
        while not self._closing:
            self._quiet.wait()
            with self._polling:
                served = self._poll(_POLL_S)
            if served and not self._loop.is_closed():
                # One wake-up of the loop for all deliveries that this poll has completed.
                self._loop.call_soon_threadsafe(self._resolve)
