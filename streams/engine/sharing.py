"""What several have in common, once in memory, for as long as one of them is there."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast
from weakref import ReferenceType

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Ref(ReferenceType[V], Generic[K, V]):
    """Knows what it was kept by."""

    __slots__ = ("key", "size")
    key: K
    size: int


class Shared(Generic[K, V]):
    """Values by what they are made of. Holds none of them itself. Not for two threads at a time."""

    def __init__(self) -> None:
        self.size = 0
        """Of those that are in use, in the unit of `of`."""
        self._refs: dict[K, _Ref[K, V]] = {}

    def __len__(self) -> int:
        """How many are in use."""
        return len(self._refs)

    def of(self, key: K, size: int, make: Callable[[], V]) -> V:
        """The value that is in use, else a new one. `size`: what it adds to `self.size` until it is gone."""
        known = self._refs.get(key)
        found = known() if known is not None else None
        if found is not None:
            return found
        made = make()
        new: _Ref[K, V] = _Ref(made, self._gone)
        new.key, new.size = key, size
        self._refs[key] = new
        self.size += size
        return made

    def _gone(self, gone: ReferenceType[V]) -> None:
        old = cast(_Ref[K, V], gone)
        self.size -= old.size
        # Where the collector was late, another value may be kept by that already.
        if self._refs.get(old.key) is old:
            del self._refs[old.key]
