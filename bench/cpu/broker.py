"""What stands for Kafka and ClickHouse while only our own code is measured: all is taken, at once."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from transport.definitions import Definitions
from transport.producer import Position, Send


class Confirming:
    """A `transport.producer.Producer` whose broker answers in the next turn of the event loop."""

    def __init__(self) -> None:
        self.sends: list[Send] = []
        self._ends: Counter[tuple[str, int]] = Counter()
        self.queued = 0

    async def send(self, send: Send) -> Position:
        """See `Producer.send`."""
        return (await self.send_all((send,)))[0]

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        """See `Producer.send_all`."""
        self.sends.extend(sends)
        positions = [self._position(send) for send in sends]
        await asyncio.sleep(0)
        return positions

    def taken(self) -> list[Send]:
        """What has been sent since it was asked last."""
        sends, self.sends = self.sends, []
        return sends

    def _position(self, send: Send) -> Position:
        where = send.topic, send.partition or 0
        self._ends[where] += 1
        return Position(*where, self._ends[where] - 1)


class Feed:
    """Definitions that have been read to their end."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.unreadable: dict[tuple[str, str], object] = {}

    def offset(self, _: str) -> int:
        """Nothing is ahead."""
        return 0


class Inserting:
    """A `transport.clickhouse.ClickHouse` that takes what is inserted, and counts its bytes."""

    def __init__(self) -> None:
        self.inserted: Counter[str] = Counter()

    async def insert(
        self, table: str, columns: Sequence[str], data: bytes, input_format: str, token: str = ""
    ) -> None:
        """See `ClickHouse.insert`."""
        self.inserted[table] += len(data)
        await asyncio.sleep(0)
