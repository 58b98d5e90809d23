"""Finds out that the loop of this worker stands still, which the worker itself could not say any more.

Heartbeats are sent from a thread of their own. Without this one a worker whose loop hangs would keep its
partitions for ever, and nobody else could take up their tasks.
"""

import asyncio
import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from streams.shell.errors import EXIT_REPLAY

log = logging.getLogger(__name__)

_DUMP_S = 2.0


class Watchdog:
    """Looks from a thread, once in `every_s`. A process that was stopped and goes on counts as one look: what
    is counted are looks without a turn of the loop in between, and not the time."""

    def __init__(
        self, *, every_s: float, hung_s: float, exit_s: float, end: Callable[[], None] | None = None
    ) -> None:
        """`hung_s`: from then on `hung`. `exit_s`: from then on `end` is called, in the thread; by default it
        ends the process, which whoever supervises it starts again."""
        self.hung = False
        """No heartbeat is to be sent: others are to have the partitions. May be read in any thread."""
        self._every_s = every_s
        self._hung_looks = round(hung_s / every_s)
        self._exit_looks = round(exit_s / every_s)
        self._end = end or end_process
        self._turned = threading.Event()
        self._missed = 0
        self._stopping = threading.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Must be called inside the running loop: that is the one that is looked at."""
        self._turn(asyncio.get_running_loop())
        self._thread.start()

    def stop(self) -> None:
        """Nothing is looked at any more. Does not wait for the thread."""
        self._stopping.set()
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """One look; the thread does it."""
        if self._turned.is_set():
            self._turned.clear()
            if self.hung:
                log.warning("the event loop goes on after it has stood still")
            self._missed, self.hung = 0, False
            return
        self._missed += 1
        if self._missed == self._hung_looks:
            self.hung = True
            # In a thread of its own: the loop may hang in the log, with its lock.
            text = "the event loop stands still; heartbeats stop, so that others take over"
            threading.Thread(target=log.error, args=(text,), daemon=True).start()
        if self._missed >= self._exit_looks:
            self._end()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turned.set()
        self._timer = loop.call_later(self._every_s / 2, self._turn, loop)

    def _watch(self) -> None:
        while not self._stopping.wait(self._every_s):
            self.look()


def end_process() -> None:
    """Says on the standard error where each thread stands, and exits without acknowledging anything."""
    dump = threading.Thread(target=_dump, daemon=True)
    dump.start()
    dump.join(_DUMP_S)  # nobody may be reading the standard error
    os._exit(EXIT_REPLAY)


def _dump() -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write("exit without acknowledging: the event loop stands still; the restart replays\n")
        sys.stderr.flush()
        faulthandler.dump_traceback(all_threads=True)
