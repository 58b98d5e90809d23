"""Writes what is configured; a write is over when it is durable and this process sees it."""

from collections.abc import Sequence

from schemas.codec import Codec
from schemas.ids import now_us
from schemas.models import Entity
from transport.feed import DefinitionsFeed
from transport.producer import Producer, Send


class DefinitionsStore:
    """The write side of the compacted topics. The last write of a key wins."""

    def __init__(self, producer: Producer, feed: DefinitionsFeed, codec: Codec) -> None:
        self._producer = producer
        self._feed = feed
        self._codec = codec

    async def put(self, topic: str, *entities: Entity) -> None:
        """Writes the entities and waits until the feed has them. Raises `SendFailed`, `TimeoutError`."""
        await self.put_all([(topic, entity) for entity in entities])

    async def put_all(self, entities: Sequence[tuple[str, Entity]]) -> None:
        """The same for entities of several topics, all on their way at once.

        Those of one topic become known in this order, those of different topics in any. After `SendFailed`
        some of them may be written: the caller's request must come to the same when it is sent again.
        """
        await self._write([definition(self._codec, topic, entity) for topic, entity in entities])

    async def delete(self, topic: str, *keys: str) -> None:
        """Writes tombstones, and waits likewise."""
        await self._write([Send(topic, key.encode(), None) for key in keys])

    async def _write(self, sends: list[Send]) -> None:
        positions = await self._producer.send_all(sends)
        # Of one topic and one partition, so the last of each has the highest offset.
        for topic, offset in {position.topic: position.offset for position in positions}.items():
            await self._feed.reach(topic, offset + 1)


def definition(codec: Codec, topic: str, entity: Entity) -> Send:
    """The record by which the entity is what is configured under its key."""
    record = {
        "id": entity.id,
        "kind": type(entity).__name__,
        "tenant_id": entity.tenant_id,
        "body": entity.body().decode(),
        "updated_at": now_us(),
        "updated_by": entity.updated_by,
    }
    return Send(topic, entity.key.encode(), codec.encode("Definition", record))
