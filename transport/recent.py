"""A bounded memory of what was asked for last."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by their keys, each with a weight; beyond a limit, those asked for longest ago go.

    The last one stays, however heavy it is. Not for two threads at a time.
    """

    def __init__(self, most: int) -> None:
        """`most`: of all weights together."""
        self._most = most
        self.weight = 0
        """Of all that are kept."""
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        """Without asking for it."""
        return key in self._kept

    def get(self, key: K) -> V | None:
        """None for what is not kept, or not any more."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: K, value: V, weight: int = 1) -> V:
        """`key` is not kept yet. Returns the value."""
        self._kept[key] = value, weight
        self.weight += weight
        while self.weight > self._most and self.shed():
            pass
        return value

    def shed(self) -> bool:
        """Lets go of what was asked for longest ago. False where only one is left, which stays."""
        if len(self._kept) < 2:
            return False
        _, (_, gone) = self._kept.popitem(last=False)
        self.weight -= gone
        return True
