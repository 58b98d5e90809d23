"""Ends a command on Ctrl-C and SIGTERM by way of its own clean-up."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

EXIT_CODE = 130
"""Of a command that was interrupted, as shells have it."""


class Interrupted(Exception):
    """The command was told to end, and has cleaned up."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result. The first signal cancels `main`, which has all the time it needs to stop its processes.

    Further ones are ignored, lest a process that was about to be stopped is left. Raises `Interrupted`.
    """
    try:
        return uvloop.run(_cancellable(main))
    except asyncio.CancelledError as cancelled:
        raise Interrupted from cancelled


async def _cancellable(main: Coroutine[Any, Any, T]) -> T:
    task, loop = asyncio.ensure_future(main), asyncio.get_running_loop()
    cancel = _Once(task.cancel)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, cancel)
    return await task


def leaves(group: BaseExceptionGroup[Exception]) -> Iterator[BaseException]:
    """What has gone wrong, out of all groups."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


class _Once:
    """Calls the action the first time that it is called itself."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action: Callable[[], object] | None = action

    def __call__(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()
