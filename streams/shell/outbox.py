"""Sends that are over when the broker has them, or else the process is."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from schemas.topics import MAX_MESSAGE_BYTES
from streams.shell.errors import TooLarge, Unconfirmed
from streams.shell.stage import Decision, Record
from transport.errors import SendFailed, StorageUnavailable
from transport.producer import Position, Send
from transport.values import Upload

log = logging.getLogger(__name__)

DeadLetter = Callable[[str, Record, BaseException], Send]
"""Makes the message for the dead letters from the stage that gives up, what it gives up on, and why; what it
returns must fit into a message."""

Keep = Callable[[Sequence[Upload]], Awaitable[None]]
"""Returns when all objects are there. Raises `StorageUnavailable`."""

_ENVELOPE_BYTES = 64 * 1024
"""Left for keys, headers and the batch around a value."""

_LIMIT_BYTES = MAX_MESSAGE_BYTES - _ENVELOPE_BYTES


class ConfirmingProducer(Protocol):
    """`transport.producer.Producer`, as far as the shell needs it."""

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        """Returns when all in-sync replicas have every message, else raises `SendFailed`."""


def check_size(decision: Decision) -> None:
    """Raises `TooLarge` for a message that the broker would refuse, while its record can still be blamed."""
    for value in (*[send.value for send in decision.sends], *decision.writes.values()):
        if value is not None and len(value) > _LIMIT_BYTES:
            raise TooLarge(f"a message of {len(value)} bytes; the limit is {_LIMIT_BYTES}")


class Outbox:
    """The one way out of the stages."""

    def __init__(self, producer: ConfirmingProducer, retries: int, keep: Keep | None = None) -> None:
        """`keep` writes uploads; None where no stage has any."""
        self._producer = producer
        self._retries = retries
        self._keep = keep

    async def upload(self, uploads: Sequence[Upload]) -> None:
        """Objects, before what refers to them is sent. Raises `Unconfirmed` when they cannot be written."""
        if self._keep is None:
            raise Unconfirmed(f"there is no object storage for {len(uploads)} objects")
        try:
            await self._keep(uploads)
        except StorageUnavailable as unavailable:
            raise Unconfirmed(f"{len(uploads)} objects were not written") from unavailable

    async def send(self, sends: Sequence[Send]) -> None:
        """Outputs and dead letters. Some may be sent twice; their ids are deterministic.

        Raises `Unconfirmed` when the last attempt fails as well.
        """
        for attempt in range(self._retries + 1):
            try:
                await self._producer.send_all(sends)
            except SendFailed as failure:
                log.warning("attempt %d to send %d messages failed: %s", attempt + 1, len(sends), failure)
                reason = failure
            else:
                return
        raise Unconfirmed(f"{len(sends)} messages were not confirmed") from reason

    async def send_rows(self, sends: Sequence[Send]) -> list[int]:
        """Changelog messages; returns their offsets, in order.

        Raises `Unconfirmed` at the first failure: sent again they could overwrite newer rows, and their
        offsets would no longer follow each other.
        """
        try:
            return [position.offset for position in await self._producer.send_all(sends)]
        except SendFailed as failure:
            raise Unconfirmed(f"{len(sends)} rows were not confirmed") from failure
