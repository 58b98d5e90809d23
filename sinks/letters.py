"""Dead letters: records that can't be written, with their bytes and the reason."""

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import Message

from schemas import letters
from schemas.codec import Codec
from schemas.ids import dead_letter_id
from transport.producer import Producer, Send

log = logging.getLogger(__name__)

_MAX_STACK_CHARS = 4_000
"""A batch may be nothing but poison."""


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that nothing can be done with here."""

    topic: str
    """Registry name."""
    message: Message
    reason: str
    error: str
    """The exception's name: the class of the reason."""
    stack: str = ""

    @property
    def is_ours(self) -> bool:
        """Not one that was sent again for another stage: the sink has a letter of its own about that."""
        return letters.is_meant_for(letters.SINK, _headers(self.message))


def poison(topic: str, message: Message, error: Exception) -> Poison:
    """Of a record, with the reason that an exception gives."""
    stack = "".join(traceback.format_exception(error))[-_MAX_STACK_CHARS:]
    return Poison(topic, message, str(error), type(error).__name__, stack)


class LetterBox:
    """Writes letters, each of them also into the log."""

    def __init__(self, producer: Producer, codec: Codec) -> None:
        self._producer = producer
        self._codec = codec

    def encode(self, poisons: Sequence[Poison]) -> list[Send]:
        """The messages of their letters."""
        return [self._encode(poison) for poison in poisons]

    async def send(self, poisons: Sequence[Poison]) -> None:
        """Returns once the broker has the letters. Raises `SendFailed`."""
        await self._producer.send_all(self.encode(poisons))

    def _encode(self, poison: Poison) -> Send:
        message = poison.message
        origin = letters.origin_of(self._codec, poison.topic, message.value(), _headers(message))
        record = _letter(poison, origin)
        log.error("%s", _line(poison), extra=letters.log_extra(record, origin))
        return Send(letters.TOPIC, record["key"], self._codec.encode(letters.SCHEMA, record))


def _letter(poison: Poison, origin: letters.Origin) -> dict[str, Any]:
    message = poison.message
    place = letters.Place(poison.topic, message.partition() or 0, message.offset() or 0)
    return letters.dead_letter(
        place,
        (message.key(), message.value(), _headers(message)),
        origin,
        # Another stage may have given up on the same record: that letter is not this one.
        letter_id=dead_letter_id(
            f"{letters.SINK}/{place.topic}", place.partition, place.offset, message.timestamp()[1]
        ),
        stage=letters.SINK,
        reason=f"{poison.error}: {poison.reason}",
        stack=poison.stack,
    )


def _headers(message: Message) -> letters.Headers:
    return cast("letters.Headers", message.headers() or ())


def _line(poison: Poison) -> str:
    place = f"{poison.topic}/{poison.message.partition()}/{poison.message.offset()}"
    return f"{place} cannot be written and becomes a dead letter: {poison.reason}"
