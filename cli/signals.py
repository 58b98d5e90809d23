"""SIGINT and SIGTERM: the first asks a process to drain and end, the second ends it."""

import asyncio
import os
import signal

_HASTENED = 1


def stop_on_signals() -> asyncio.Event:
    """Set by the first signal from now on. Must be called inside the running loop.

    A second one ends the process at once, with code 1. Nothing is lost by that: what was not acknowledged is
    done again. Children that are tethered to the process end with it.
    """
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(_HASTENED)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop
