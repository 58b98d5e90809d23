"""The event loop of one modelled process: it runs what is ready, and its time is that of the model."""

import asyncio
import heapq
import inspect
from asyncio import events
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any
from weakref import WeakKeyDictionary

MOST_CALLBACKS = 200_000
"""Of one pump; more means that the process turns in a circle."""


class Clock:
    """The time of the whole model, in unix seconds. It passes only when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def us(self) -> int:
        """In microseconds."""
        return round(self.now * 1e6)


class ProcessLoop(asyncio.AbstractEventLoop):
    """As much of a loop as tasks, futures and time-outs need. The order in which things happen is fixed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._sequence = 0
        self._is_abandoned = False
        self._contexts: WeakKeyDictionary[asyncio.Task[Any], Context] = WeakKeyDictionary()
        self.failures: list[BaseException] = []
        """What nobody has caught."""

    @contextmanager
    def current(self) -> Iterator[None]:
        """Code inside finds this loop running."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            yield
        finally:
            events._set_running_loop(before)

    def pump(self) -> bool:
        """Runs all that can be run now; whether that was anything. Lets `SystemExit` out."""
        with self.current():
            for count in range(MOST_CALLBACKS):
                self._collect_due()
                if not self._ready:
                    return count > 0
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        raise AssertionError("a process turns in a circle")

    def abandon(self) -> None:
        """The process is dead: nothing of it runs any more, but what tidies up in memory. What it leaves
        there, such as a failure that nobody had looked at yet, is nobody's failure."""
        self._is_abandoned = True
        with self.current():
            for task in asyncio.all_tasks(self):
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                coroutine = task.get_coro()
                if inspect.iscoroutine(coroutine) and not coroutine.cr_running:
                    self._contexts[task].run(coroutine.close)
        self._ready.clear()
        self._timers.clear()

    def _collect_due(self) -> None:
        while self._timers and self._timers[0][0] <= self._clock.now:
            self._ready.append(heapq.heappop(self._timers)[2])

    def time(self) -> float:
        return self._clock.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._clock.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is left out when its time comes."""

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, context: Context | None = None, **options: Any
    ) -> "asyncio.Task[Any]":
        context = copy_context() if context is None else context
        task = asyncio.Task(coro, loop=self, context=context, **options)
        self._contexts[task] = context
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        failure = context.get("exception")
        if failure is not None and not self._is_abandoned:
            self.failures.append(failure)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False
