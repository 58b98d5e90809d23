"""What consumer groups commit, and have committed, for whoever is no member of theirs.

Where records of a partition are done out of order, what is done beyond the first that is not goes with the
offset, as its metadata: else whoever takes the partition over would do all of it again.
"""

import binascii
import logging
import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from transport.settings import KafkaSettings

_log = logging.getLogger(__name__)

_FORM = "1:"
"""Of metadata: base64 of deflated bits, the lowest of the first byte for the record at the offset itself."""

_END = "\0"
"""Of metadata. confluent-kafka 2.16 takes it for a C string, which librdkafka does not end, and reads on into
whatever comes behind it."""

_MOST_CHARS = 4096
"""Of metadata, as brokers take it by default (`offset.metadata.max.bytes`)."""


class Commit(NamedTuple):
    """Of one partition."""

    offset: int
    """Everything before it is done."""
    metadata: str = ""
    """What is done beyond it."""

    @classmethod
    def of(cls, offset: int, done: Collection[int]) -> "Commit":
        """`done`: offsets of records from `offset` on. They are left out if they are too many to be told."""
        if not done:
            return cls(offset)
        bits = bytearray((max(done) - offset) // 8 + 1)
        for each in done:
            bits[(each - offset) >> 3] |= 1 << ((each - offset) & 7)
        metadata = _FORM + b64encode(zlib.compress(bits, wbits=-15)).decode() + _END
        return cls(offset, metadata if len(metadata) <= _MOST_CHARS else "")

    @property
    def records(self) -> int:
        """How many are done, from the first of the partition on."""
        return self.offset + len(self.done)

    @property
    def done(self) -> frozenset[int]:
        """Offsets of records from `offset` on. None where somebody else has written something else there."""
        if not self.metadata.startswith(_FORM):
            return frozenset()
        try:
            text = self.metadata.removeprefix(_FORM).removesuffix(_END)
            bits = zlib.decompress(b64decode(text, validate=True), wbits=-15)
        except (binascii.Error, zlib.error) as unreadable:
            _log.warning("metadata of a committed offset: %s", unreadable)
            return frozenset()
        places = (8 * at + bit for at, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1)
        return frozenset(self.offset + place for place in places)


class CommittedOffsets:
    """Of one group. Blocks; used by one thread at a time, and closed in the end.

    A consumer that joins nothing asks for them. The admin client has a call for it as well, which ends the
    process with a segmentation fault when the coordinator of the group has just moved (issue 5040 of
    librdkafka, open in 2.16).
    """

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        """`group` by its full name."""
        self._consumer = Consumer(
            {"bootstrap.servers": settings.bootstrap_servers, "group.id": group, "log_level": 0}
        )

    def of(self, partitions: Sequence[TopicPartition], timeout_s: float) -> dict[tuple[str, int], Commit]:
        """By full name and number; partitions without one are left out. Raises `KafkaException`."""
        answer = self._consumer.committed(list(partitions), timeout=timeout_s)
        return {(one.topic, one.partition): _commit(one) for one in answer if one.offset >= 0}

    def close(self) -> None:
        """Nothing can be asked afterwards."""
        self._consumer.close()


def _commit(found: TopicPartition) -> Commit:
    try:
        return Commit(found.offset, found.metadata or "")
    except UnicodeDecodeError:  # somebody else's, and without an end
        return Commit(found.offset)
