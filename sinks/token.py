"""The identity of an insert, by which ClickHouse knows it when a crash makes the sink repeat it."""

import zlib
from collections.abc import Sequence
from itertools import groupby
from operator import methodcaller

from confluent_kafka import Message

_PARTITION = methodcaller("partition")


def token_of(topic: str, messages: Sequence[Message], data: bytes) -> str:
    """Of records in the order of their partitions, which `data` was made of.

    The same offsets have the same records, unless the topic has been created anew or some are left out: the
    bytes tell that apart.
    """
    spans = []
    for partition, group in groupby(messages, _PARTITION):
        together = list(group)
        spans.append(f"{partition}:{together[0].offset()}-{together[-1].offset()}")
    return f"{topic}/{','.join(spans)}/{len(messages)}/{zlib.crc32(data):08x}"
