"""Dead letters: records that can't be written, with their bytes and the reason."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.ids import dead_letter_id, now_us
from transport.producer import Producer, Send

log = logging.getLogger(__name__)

TOPIC = "dead.letters"
_MAX_REASON = 2000


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that nothing can be done with here."""

    topic: str
    """Registry name."""
    message: Message
    reason: str


def letter(poison: Poison) -> dict[str, Any]:
    """A `DeadLetter` record."""
    message = poison.message
    place = (poison.topic, message.partition() or 0, message.offset() or 0)
    return {
        "id": dead_letter_id(*place),
        "topic": place[0],
        "partition": place[1],
        "offset": place[2],
        "key": message.key(),
        "value": message.value(),
        "headers": [{"name": name, "value": value} for name, value in _headers(message)],
        "stage": "sink",
        "reason": poison.reason[:_MAX_REASON],
        "created_at": now_us(),
    }


def _headers(message: Message) -> list[tuple[str, bytes]]:
    """Header values may be null in Kafka."""
    found = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return [(name, value or b"") for name, value in found]


class LetterBox:
    """Writes letters, each of them also into the log."""

    def __init__(self, producer: Producer, codec: Codec) -> None:
        self._producer = producer
        self._codec = codec

    def encode(self, poisons: Sequence[Poison]) -> list[bytes]:
        """The values of their letters."""
        for poison in poisons:
            log.error("%s", _line(poison))
        return [self._codec.encode("DeadLetter", letter(poison)) for poison in poisons]

    async def send(self, poisons: Sequence[Poison]) -> None:
        """Returns once the broker has the letters. Raises `SendFailed`."""
        values = self.encode(poisons)
        keys = [poison.message.key() for poison in poisons]
        await self._producer.send_all(
            [Send(TOPIC, key, value) for key, value in zip(keys, values, strict=True)]
        )


def _line(poison: Poison) -> str:
    place = f"{poison.topic}/{poison.message.partition()}/{poison.message.offset()}"
    return f"{place} cannot be written and becomes a dead letter: {poison.reason}"
