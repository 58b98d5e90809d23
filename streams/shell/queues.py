"""Several topics that one stage reads: each waits by itself, so that a long one keeps no other out."""

import asyncio
from collections.abc import Sequence

from streams.shell.inbox import Delivery, Inbox, Limits


class Queues:
    """Inboxes that are taken from in turn. The reader leaves the topic of a full one alone, and no other."""

    def __init__(self, inboxes: Sequence[Inbox], filled: asyncio.Event) -> None:
        """`filled` is what all of them set."""
        self.filled = filled
        self._inboxes = list(inboxes)

    def __len__(self) -> int:
        return sum(map(len, self._inboxes))

    @property
    def size_bytes(self) -> int:
        """Of all records."""
        return sum(inbox.size_bytes for inbox in self._inboxes)

    def take(self, limits: Limits) -> list[Delivery]:
        """As `Inbox.take`, an equal share of each that has something. Who was served is last next time."""
        taken: list[Delivery] = []
        records, size = limits.records, limits.size_bytes
        waiting = [inbox for inbox in self._inboxes if len(inbox)]
        for position, inbox in enumerate(waiting):
            if records <= 0 or size <= 0:
                break
            share = -(-records // (len(waiting) - position))
            for delivery in inbox.take(Limits(share, size)):
                taken.append(delivery)
                records -= len(delivery.records)
                size -= delivery.size_bytes
            self._inboxes.remove(inbox)
            self._inboxes.append(inbox)
        if not any(map(len, self._inboxes)):
            self.filled.clear()
        return taken

    def clear(self) -> None:
        """Drops what was not taken."""
        for inbox in self._inboxes:
            inbox.clear()
        self.filled.clear()
