"""Leaves out what a request to erase has named: read again from the start, a topic brings nothing back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence, Set
from contextlib import asynccontextmanager
from typing import Protocol

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.errors import UndecodableValue
from schemas.topics import TOPICS
from sinks.batch import Batch
from sinks.writing import Failures
from transport.definitions import ERASURES, WORKFLOWS, Definitions
from transport.errors import BrokerUnreachable
from transport.feed import DefinitionsFeed
from transport.settings import KafkaSettings

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_TIMES = {
    "trigger.events": "received_at",
    "trigger.logs": "created_at",
    "runs": "event_at",
    "node.executions": "event_at",
    "knowledge.documents": "created_at",
    "dead.letters": "created_at",
    WORKFLOWS: "updated_at",
}
"""When what a record tells of was accepted; of others, when the record was written."""


class Erased:
    """Knows what has been erased. Where nothing has, looking costs nothing."""

    def __init__(self, definitions: Definitions, codec: Codec) -> None:
        self._definitions = definitions
        self._codec = codec

    def kept(self, topic: str, messages: Sequence[Message]) -> Sequence[Message]:
        """Without what was accepted before its tenant was erased, and without anything while its rows are
        being deleted."""
        until = self._definitions.erased
        if not until:
            return messages
        marks = [tenant_id.encode() for tenant_id in until]
        return [
            message
            for message in messages
            # Avro has texts as they are: most records need not be read.
            if not any(mark in (message.value() or b"") for mark in marks)
            or not self._is_erased(topic, message, until)
        ]

    def _is_erased(self, topic: str, message: Message, until: dict[str, float]) -> bool:
        try:
            record = self._codec.decode(TOPICS[topic].schema or "", message.value())
        except UndecodableValue:
            return False
        tenant_id = record.get("tenant_id")
        if tenant_id not in until:
            return False
        return _accepted(topic, record, message) < until[tenant_id]


def _accepted(topic: str, record: AvroRecord, message: Message) -> int:
    """In microseconds. A record that says when is believed: what has become of an old run may be written
    after the erasure."""
    name = _TIMES.get(topic)
    at: int = record[name] if name else message.timestamp()[1] * 1000
    return at


class Writes(Protocol):
    """Who writes a batch."""

    async def write(self, batch: Batch, held: Set[str] = frozenset()) -> Failures:
        """See `sinks.writing.BatchWriter.write`."""


class LeavingOut:
    """A `Writes` that leaves out what is erased. Nothing is written before that is known."""

    def __init__(self, writer: Writes, erased: "asyncio.Future[Erased]") -> None:
        self._writer = writer
        self._erased = erased

    async def write(self, batch: Batch, held: Set[str] = frozenset()) -> Failures:
        """See `sinks.writing.BatchWriter.write`."""
        erased = await asyncio.shield(self._erased)
        for topic, messages in batch.messages.items():
            kept = erased.kept(topic, messages)
            if len(kept) < len(messages):
                log.info("%d records of %s are left out: erased", len(messages) - len(kept), topic)
                batch.rows -= len(messages) - len(kept)
                batch.bytes -= sum(map(len, messages)) - sum(map(len, kept))
                batch.messages[topic] = list(kept)
        return await self._writer.write(batch, held)


@asynccontextmanager
async def erasures(kafka: KafkaSettings, codec: Codec) -> AsyncIterator["asyncio.Future[Erased]"]:
    """Follows the requests for as long as the context lasts. The result is there once all that there were
    have been read, however long the broker is away until then."""
    known: asyncio.Future[Erased] = asyncio.get_running_loop().create_future()
    following = asyncio.create_task(_follow(kafka, codec, known))
    try:
        yield known
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        known.cancel()


async def _follow(kafka: KafkaSettings, codec: Codec, known: "asyncio.Future[Erased]") -> None:
    while True:
        try:
            async with DefinitionsFeed(kafka, codec, topics=(ERASURES,)) as feed:
                known.set_result(Erased(feed.definitions, codec))
                await asyncio.Event().wait()
        except BrokerUnreachable as unreachable:
            log.warning("nothing is written before it is known what was erased: %s", unreachable)
        except Exception:  # or nothing would be written any more, and nobody would know why
            log.exception("nothing is written before it is known what was erased")
        await asyncio.sleep(_RETRY_S)
