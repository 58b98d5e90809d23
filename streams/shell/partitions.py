"""Where a key lives: the partition that the producers of this deployment and Java's clients give it."""

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """Of a topic with that many partitions."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
