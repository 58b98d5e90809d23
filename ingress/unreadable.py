"""Definitions that nobody can read, as dead letters: every role leaves them out, the ingress says so."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ingress.metrics import Metrics
from schemas import letters
from schemas.codec import Codec
from schemas.ids import dead_letter_id
from transport.errors import SendFailed
from transport.feed import DefinitionsFeed, Unreadable
from transport.producer import Producer, Send

_log = logging.getLogger(__name__)

STAGE = "definitions"
_AGAIN_S = 5.0


@asynccontextmanager
async def burying(
    feed: DefinitionsFeed, producer: Producer, codec: Codec, metrics: Metrics
) -> AsyncIterator[None]:
    """Writes a letter for each that is there and each that comes.

    All ingresses do, and each of them after each start: the same record is the same letter in the same state.
    """
    # Not bounded: one entry for each record that an administrator's call has written.
    waiting: asyncio.Queue[Send] = asyncio.Queue()

    def found(topic: str, unreadable: Unreadable) -> None:
        metrics.dead_letters.labels(STAGE, unreadable.reason.partition(":")[0]).inc()
        waiting.put_nowait(_letter(codec, topic, unreadable))

    for (topic, _), unreadable in feed.unreadable.items():
        found(topic, unreadable)
    feed.on_unreadable = found
    sending = asyncio.create_task(_send(waiting, producer))
    try:
        yield
    finally:
        feed.on_unreadable = None
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(waiting: "asyncio.Queue[Send]", producer: Producer) -> None:
    while True:
        letter = await waiting.get()
        while True:
            try:
                await producer.send(letter)
                break
            except SendFailed as failed:
                _log.warning("a dead letter of a definition is tried again: %s", failed)
                await asyncio.sleep(_AGAIN_S)


def _letter(codec: Codec, topic: str, unreadable: Unreadable) -> Send:
    message = unreadable.message
    place = letters.Place(topic, message.partition() or 0, unreadable.offset)
    headers: Any = message.headers() or ()
    letter = letters.dead_letter(
        place,
        (message.key(), message.value(), headers),
        letters.origin_of(codec, topic, message.value(), headers),
        letter_id=dead_letter_id(*place, message.timestamp()[1]),
        stage=STAGE,
        reason=unreadable.reason,
    )
    return Send(letters.TOPIC, letter["key"], codec.encode(letters.SCHEMA, letter))
