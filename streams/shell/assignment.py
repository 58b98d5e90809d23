"""One continuous ownership of partitions, from the moment they are ours to the moment they are not."""

import asyncio
from collections.abc import Callable

from streams.shell.errors import Revoked
from streams.shell.offsets import Offsets, TopicPartition

_HEARTBEAT_POLL_S = 0.05


class Assignment:
    """Partitions of one generation of the consumer group.

    It is *released* when the group rebalances or the worker stops: what is under way ends, nothing new
    begins. It is *over* when the partitions may have another owner.
    """

    def __init__(
        self, generation: int, partitions: frozenset[TopicPartition], alive: Callable[[], bool]
    ) -> None:
        """`alive`: whether the broker has heard of us recently enough to still keep our partitions."""
        self.generation = generation
        self.partitions = partitions
        self.offsets = Offsets()
        self.released = asyncio.Event()
        self._alive = alive
        self._over = False

    def end(self) -> None:
        """The partitions may have another owner from now on."""
        self.released.set()
        self._over = True

    @property
    def over(self) -> bool:
        """Whether `end` was called."""
        return self._over

    async def ensure_ours(self) -> None:
        """Returns when a write for these partitions can't meet those of another owner; called right before
        rows are sent. Raises `Revoked` when it could.

        A process that was frozen for longer than its session does not know yet whether it was voted out:
        it waits for the next heartbeat, which tells.
        """
        while not self._over:
            if self._alive():
                return
            await asyncio.sleep(_HEARTBEAT_POLL_S)
        raise Revoked(f"generation {self.generation} is over")
