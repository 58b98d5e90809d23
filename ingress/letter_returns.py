"""The way back of a dead letter: what is sent where, once, also when several ask for it at the same time."""

import asyncio
from collections import OrderedDict
from datetime import datetime
from typing import Any, Protocol

from confluent_kafka import Message

from ingress.errors import Conflict
from schemas import letters
from schemas.codec import Codec
from schemas.letters import Return
from schemas.topics import TOPICS, Topic
from transport.feed import DefinitionsFeed
from transport.producer import Producer, Send

_REMEMBERED = 100_000

Letter = dict[str, Any]
"""As `History.dead_letter` gives it."""


class Records(Protocol):
    """`transport.positions.RecordReader`."""

    async def read(self, topic: str, partition: int, offset: int) -> Message | None:
        """The record at its place; None where it is gone."""


class Returns:
    """Sends letters back, and knows which it has sent: the history tells it only a moment later."""

    def __init__(self, producer: Producer, feed: DefinitionsFeed, codec: Codec, records: Records) -> None:
        self._producer = producer
        self._feed = feed
        self._codec = codec
        self._records = records
        self._sent: OrderedDict[tuple[str, int], asyncio.Task[None]] = OrderedDict()
        """By letter and attempts, the oldest first. A letter that fails again has one more attempt."""

    async def send_back(self, letter: Letter) -> bool:
        """Returns once the record is on its topic again; False where it already was, and nothing is sent.

        Two ingresses that are asked at the same moment may both send it, which changes nothing: what reads
        the record knows it by its ids. Raises `Conflict` for a letter that can only be looked at, and
        `SendFailed`.
        """
        key = letter["id"], letter["attempts"]
        if letter["status"] == letters.REPLAYED:
            return False
        under_way = self._sent.get(key)
        if is_first := under_way is None:
            under_way = self._sent[key] = asyncio.create_task(self._send(letter))
            self._forget_oldest()
        try:
            # Who asks may go away. What has begun ends, for others may be waiting for it as well.
            await asyncio.shield(under_way)
        except Exception:
            if self._sent.get(key) is under_way:
                del self._sent[key]
            raise
        return is_first

    def check(self, letter: Letter) -> None:
        """Raises `Conflict` for a letter that cannot be sent back, whatever the history still has of it."""
        topic = TOPICS.get(letter["topic"])
        if topic is None:
            raise Conflict(f"{letter['topic']} is no topic of this release; the letter can only be looked at")
        if topic.rows_of is not None:
            return
        if topic.compacted and not self._is_current(letter):
            raise Conflict(
                f"{letter['topic']} has what is configured now, and this may be older: save it anew instead"
            )

    async def _send(self, letter: Letter) -> None:
        self.check(letter)
        topic = TOPICS[letter["topic"]]
        original = await self._original(letter, topic)
        await self._producer.send(original)
        record = self._codec.encode(letters.SCHEMA, letters.closed(_record(letter)))
        await self._producer.send(Send(letters.TOPIC, letter["key"], record))

    async def _original(self, letter: Letter, topic: Topic) -> Send:
        back = Return(letter["id"], letter["attempts"], letter["stage"], topic.rows_of is not None)
        key, value, headers = letter["key"], letter["value"], letter["headers"]
        if (size := letters.original_bytes(headers)) is not None:
            key, value, headers = await self._whole(letter, size)
        sent = (*((n, v) for n, v in headers if n != letters.HEADER), back.header())
        # Its own partition: what its stage has kept for it is there, and nowhere else.
        return Send(topic.rows_of or topic.name, key, value, sent, letter["partition"])

    async def _whole(self, letter: Letter, size: int) -> tuple[Any, Any, list[tuple[str, bytes]]]:
        message = None
        if letter["offset"] >= 0:
            message = await self._records.read(letter["topic"], letter["partition"], letter["offset"])
        if message is None:
            raise Conflict(
                f"the record of {size} bytes did not fit into its letter, and is not on its topic any more"
            )
        found: Any = message.headers() or []
        return message.key(), message.value(), [(name, value or b"") for name, value in found]

    def _is_current(self, letter: Letter) -> bool:
        """Whether it is what nobody could read, and nothing has come after it."""
        key = (letter["key"] or b"").decode(errors="replace")
        unread = self._feed.unreadable.get((letter["topic"], key))
        return unread is not None and unread.offset == letter["offset"]

    def _forget_oldest(self) -> None:
        while len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)


def _record(letter: Letter) -> Letter:
    """The letter as a record of its topic."""
    created_at = datetime.fromisoformat(letter["created_at"])
    return {
        **{name: letter[name] for name in _KEPT},
        # The tables may be those of the release before, which had none.
        "trace_id": letter.get("trace_id"),
        "headers": [{"name": name, "value": value} for name, value in letter["headers"]],
        "created_at": round(created_at.timestamp() * 1_000_000),
    }


_KEPT = (
    "id",
    "topic",
    "partition",
    "offset",
    "key",
    "value",
    "stage",
    "reason",
    "stack",
    "attempts",
    "tenant_id",
)
