"""Writes what is configured; a write is over when it is durable and this process sees it."""

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
        await self._write([definition(self._codec, topic, entity) for entity in entities])

    async def delete(self, topic: str, *keys: str) -> None:
        """Writes tombstones, and waits likewise."""
        await self._write([Send(topic, key.encode(), None) for key in keys])

    async def _write(self, sends: list[Send]) -> None:
        positions = await self._producer.send_all(sends)
        for position in positions[-1:]:
            await self._feed.reach(position.topic, position.offset + 1)


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
