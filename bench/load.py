"""The driver: posts orders as fast as answers come, or at a fixed rate, and notes when it sent what."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.connection import Connection, Target
from bench.orders import Order

_TELL_EVERY_S = 2.0
_PATIENCE_S = 60.0
"""Until an answer is no longer waited for."""


@dataclass(slots=True)
class Posted:
    """What the driver knows after a phase. Times are unix seconds, as are those that the peers record."""

    began_at: float = field(default_factory=time.time)
    sent_at: dict[str, float] = field(default_factory=dict)
    """Order id -> when its request was written; of every order posted."""
    ack_ms: dict[str, float] = field(default_factory=dict)
    """Order id -> how long the answer took; of the accepted ones."""
    refused: dict[str, str] = field(default_factory=dict)
    """Order id -> status, or the error that came instead of an answer; of the others."""

    @property
    def refusals(self) -> Counter[str]:
        """Status or error -> how often."""
        return Counter(self.refused.values())

    async def post(self, connection: Connection, order: Order, patience_s: float = _PATIENCE_S) -> None:
        """Posts one order and keeps what came of it."""
        self.sent_at[order.order_id] = time.time()
        start = time.perf_counter()
        try:
            answer = await connection.post(order.order_id, order.body, patience_s)
        except OSError as error:
            self.refused[order.order_id] = type(error).__name__
            return
        if 200 <= answer.status < 300:
            self.ack_ms[order.order_id] = (time.perf_counter() - start) * 1000
        else:
            self.refused[order.order_id] = str(answer.status)


async def closed_loop(
    endpoint: Target,
    orders: Iterator[Order],
    *,
    connections: int,
    seconds: float,
    on_progress: Callable[[str], None],
) -> Posted:
    """Each connection posts its next order when the last one was answered, until the time is over.

    Ends sooner when there are no more orders.
    """
    posted = Posted()
    until = time.perf_counter() + seconds

    async def post_on_one() -> None:
        async with Connection(endpoint) as connection:
            while time.perf_counter() < until and (order := next(orders, None)) is not None:
                await posted.post(connection, order)

    async with asyncio.TaskGroup() as group:
        posting = {group.create_task(post_on_one()) for _ in range(connections)}
        while posting:
            _, posting = await asyncio.wait(posting, timeout=_TELL_EVERY_S)
            on_progress(f"{len(posted.ack_ms):,} accepted")
    return posted


async def open_loop(
    endpoint: Target,
    orders: Iterator[Order],
    *,
    per_s: float,
    count: int,
    on_progress: Callable[[str], None],
    patience_s: float = _PATIENCE_S,
) -> Posted:
    """Posts at a fixed rate, whether or not the last one has been answered."""
    posted = Posted()
    idle: list[Connection] = []

    async def post_one(order: Order) -> None:
        connection = idle.pop() if idle else Connection(endpoint)
        await posted.post(connection, order, patience_s)
        idle.append(connection)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
            group.create_task(post_one(next(orders)))
            if number % 100 == 99:
                on_progress(f"{number + 1} of {count} posted")
    for connection in idle:
        connection.close()
    return posted
