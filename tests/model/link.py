"""The modelled way of a worker's messages to the broker: they may be held up, be lost, or arrive late."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from tests.model.broker import Broker
from transport.errors import SendFailed
from transport.producer import Position, Send

EVERYTHING = "*"


@dataclass(slots=True)
class _Batch:
    """What one `send_all` waits for."""

    done: "asyncio.Future[None]"
    pending: int
    positions: dict[int, Position] = field(default_factory=dict)


@dataclass(slots=True)
class _UnderWay:
    send: Send
    index: int
    batch: _Batch


class Link:
    """The producer of one process (`ConfirmingProducer`). Each partition gets its messages in order.

    Messages pass at once unless the link is stalled. What is held up is with librdkafka: it arrives
    when the stall ends, also if its sender is stopped or has lost its partitions by then.
    """

    def __init__(self, broker: Broker, new_future: Callable[[], "asyncio.Future[None]"]) -> None:
        self._broker = broker
        self._new_future = new_future
        self._under_way: deque[_UnderWay] = deque()
        self._passing: int | None = None
        """How many messages to `_held` still pass; None: all."""
        self._held: Collection[str] = ()

    @property
    def is_empty(self) -> bool:
        return not self._under_way

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        """See `transport.producer.Producer.send_all`."""
        if not sends:
            return []
        batch = _Batch(self._new_future(), len(sends))
        self._under_way.extend(_UnderWay(send, index, batch) for index, send in enumerate(sends))
        self._flow()
        await batch.done
        return [batch.positions[index] for index in range(len(sends))]

    def stall(self, topics: Collection[str], passing: int) -> None:
        """Of what is sent to these topics (`EVERYTHING`: to all) so many messages pass, the rest waits."""
        self._held, self._passing = topics, passing

    def restore(self) -> None:
        """What was held up arrives."""
        self._passing = None
        self._flow()

    def fail(self, written: int) -> None:
        """What is held up was not confirmed in time; the first ones have been written all the same."""
        failed, self._under_way = self._under_way, deque()
        self._arrive(failed, written, acknowledge=False)
        for each in failed:
            if not each.batch.done.done():
                each.batch.done.set_exception(SendFailed("not confirmed in time"))

    def die(self, written: int) -> None:
        """The process is dead; so many of its messages were on the wire."""
        left, self._under_way = self._under_way, deque()
        self._arrive(left, written, acknowledge=False)

    def _flow(self) -> None:
        waiting: deque[_UnderWay] = deque()
        for each in self._under_way:
            if self._passes(each.send.topic):
                self._write(each)
            else:
                waiting.append(each)
        self._under_way = waiting

    def _passes(self, topic: str) -> bool:
        if self._passing is None or not (EVERYTHING in self._held or topic in self._held):
            return True
        self._passing -= 1
        if self._passing < 0:
            self._passing = 0
            return False
        return True

    def _arrive(self, messages: Collection[_UnderWay], most: int, *, acknowledge: bool) -> None:
        for each in list(messages)[:most]:
            self._write(each, acknowledge=acknowledge)

    def _write(self, each: _UnderWay, *, acknowledge: bool = True) -> None:
        batch = each.batch
        batch.positions[each.index] = self._broker.append(each.send)
        batch.pending -= 1
        if acknowledge and not batch.pending and not batch.done.done():
            batch.done.set_result(None)
