"""A producer that doesn't give up: it posts an order until it is accepted, and sometimes once more."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

from bench.connection import Answer, Connection, Endpoint
from bench.journal import Journal
from bench.orders import Order

_RETRY_PAUSE_S = 0.2
_RECENT = 2_000


class NotAccepted(Exception):
    """An order has been refused for too long; the last reason is in the message."""


class Traffic:
    """Posts orders to one endpoint and writes down in the journal what came of each."""

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Journal,
        *,
        others: Sequence[Endpoint] = (),
        give_up_after_s: float = 60.0,
        obeys: bool = True,
    ) -> None:
        """`others`: more doors of the same deployment, for when one does not answer. `obeys`: whether it
        waits for as long as a refusal asks for."""
        self._endpoints = (endpoint, *others)
        self._journal = journal
        self._give_up_after_s = give_up_after_s
        self._obeys = obeys

    async def post_all(self, orders: Iterable[Order], *, connections: int = 32) -> None:
        """As fast as answers come. Raises `NotAccepted`."""
        remaining = iter(orders)

        async def post_on_one() -> None:
            with closing(_Line(self._endpoints)) as line:
                for order in remaining:
                    await self._post(line, order)

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(post_on_one())

    async def post_at(
        self,
        per_s: float,
        seconds: float,
        orders: Iterable[Order],
        on_second: Callable[[int], None],
        *,
        over: asyncio.Event | None = None,
    ) -> None:
        """At a fixed rate, whatever the answers; `on_second` gets the number posted, once a second of these.
        `over` ends it sooner.

        Raises `NotAccepted`.
        """
        idle: list[_Line] = []

        async def post_one(order: Order) -> None:
            line = idle.pop() if idle else _Line(self._endpoints)
            await self._post(line, order)
            idle.append(line)

        began, source = time.perf_counter(), iter(orders)
        async with asyncio.TaskGroup() as group:
            for number in range(round(per_s * seconds)):
                if over is not None and over.is_set():
                    break
                await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
                group.create_task(post_one(next(source)))
                if number % round(per_s) == 0:
                    on_second(number)
        for line in idle:
            line.close()

    async def _post(self, line: "_Line", order: Order) -> None:
        """Until it is accepted: the same order with the same delivery id, as a producer does it."""
        deadline = time.monotonic() + self._give_up_after_s
        while True:
            self._journal.sending((order.order_id,))
            answer = await line.try_to_post(order)
            if answer is not None and 200 <= answer.status < 300:
                self._journal.accepted(order.order_id)
                return
            reason = f"status {answer.status}" if answer else "no answer"
            self._journal.refused(order.order_id, reason)
            if time.monotonic() > deadline:
                raise NotAccepted(
                    f"{order.order_id} was not accepted in {self._give_up_after_s:g} s: {reason}"
                )
            asked_s = answer.retry_after_s if answer and self._obeys else 0
            await asyncio.sleep(max(asked_s, _RETRY_PAUSE_S))


class _Line:
    """A connection to one door; to the next one when that does not answer."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._connections = deque(Connection(endpoint) for endpoint in endpoints)

    async def try_to_post(self, order: Order) -> Answer | None:
        """None when no door answers."""
        for _ in range(len(self._connections)):
            try:
                return await self._connections[0].post(order.order_id, order.body)
            except OSError:
                self._connections.rotate(-1)
        return None

    def close(self) -> None:
        """Idempotent."""
        for connection in self._connections:
            connection.close()


def mixed(orders: Sequence[Order], repeats: int, chance: random.Random) -> list[Order]:
    """All orders in their order, and this many of them once more, each somewhere after its first time."""
    places = [(float(place), order) for place, order in enumerate(orders)]
    places += [(chance.uniform(place, len(orders)), order) for place, order in chance.sample(places, repeats)]
    return [order for _, order in sorted(places, key=lambda placed: placed[0])]


def with_repeats(orders: Iterable[Order], share: float, chance: random.Random) -> Iterator[Order]:
    """The orders, with this share of what is sent being one of the last 2,000 once more."""
    recent: deque[Order] = deque(maxlen=_RECENT)
    for order in orders:
        # Of everything sent, not of the new ones: hence no plain chance of `share` for each new order.
        while recent and chance.random() < share:
            yield chance.choice(recent)
        recent.append(order)
        yield order
