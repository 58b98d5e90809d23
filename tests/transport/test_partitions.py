"""The partitioner is that of the clients which write."""

import random

from aiokafka.partitioner import murmur2 as faust_murmur2

from transport.partitions import murmur2, partition_of


def test_it_is_the_hash_of_the_clients() -> None:
    chosen = random.Random(7)
    for size in range(70):
        key = chosen.randbytes(size)
        assert murmur2(key) == faust_murmur2(key) & 0xFFFFFFFF


def test_a_key_has_a_home() -> None:
    assert partition_of(b"abc", 12) == (faust_murmur2(b"abc") & 0x7FFFFFFF) % 12
    assert {partition_of(b"%d" % n, 3) for n in range(50)} == {0, 1, 2}
