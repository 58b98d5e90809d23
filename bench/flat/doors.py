"""The webhooks of many workflows as one endpoint: each request goes to the next of them."""

import itertools
import random
from collections.abc import Iterator, Sequence

from bench.connection import Endpoint

_FEW_SHARE = 0.01
_MOST_ORDERS = 0.8


class Doors:
    """A `bench.connection.Target`. `which` says for each request the number of its endpoint."""

    def __init__(self, endpoints: Sequence[Endpoint], which: Iterator[int]) -> None:
        self.host, self.port = endpoints[0].host, endpoints[0].port
        self._endpoints = endpoints
        self._which = which

    def request(self, delivery_id: str, body: bytes) -> bytes:
        """The bytes of one POST, to whose turn it is."""
        return self._endpoints[next(self._which)].request(delivery_id, body)


def evenly(count: int, seed: int = 1) -> Iterator[int]:
    """Each number below `count` as often as any other, in an order that no cache can guess."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return itertools.cycle(order)


def skewed(count: int, seed: int = 1) -> Iterator[int]:
    """Four of five from one hundredth of the numbers, the rest from all of them."""
    chance = random.Random(seed)
    few = max(1, round(count * _FEW_SHARE))
    while True:
        yield chance.randrange(few if chance.random() < _MOST_ORDERS else count)
