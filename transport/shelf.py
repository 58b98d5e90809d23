"""Many entities in little memory: as compressed JSON, of which those that were asked for last are open.

A workflow as Python has it takes twenty times the memory of that, and opening it 40 to 80 µs. So what is
asked of one for each event is beside it: its head.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from transport.recent import Recent

E = TypeVar("E")
H = TypeVar("H")
R = TypeVar("R")

_FAST = 1
_MOST_OPEN_BYTES = 8 * 1024 * 1024
"""Of JSON, which takes some five times as much in memory once it is open."""


class Packed(NamedTuple, Generic[H]):
    """One entity, and what is known of it without opening it."""

    head: H
    content: bytes
    size: int
    """Bytes of the JSON."""


def pack(head: H, body: bytes) -> Packed[H]:
    """`body`: the JSON that the entity was read from."""
    return Packed(head, zlib.compress(body, _FAST), len(body))


class Opened(Generic[E]):
    """Reads what is packed, and keeps what it was asked for last."""

    def __init__(self, read: Callable[[bytes], E], most_bytes: int = _MOST_OPEN_BYTES) -> None:
        """`read`: from JSON. `most_bytes`: of JSON. The one that was asked for last is kept, however large it
        is."""
        self._read = read
        # By content: what has been replaced is not asked for again, and goes by itself.
        self._open: Recent[bytes, E] = Recent(most_bytes)

    def read(self, packed: Packed[Any]) -> E:
        """The same object each time while it is kept."""
        found = self._open.get(packed.content)
        if found is not None:
            return found
        entity = self._read(zlib.decompress(packed.content))
        return self._open.keep(packed.content, entity, packed.size)


class Shelf(Mapping[str, E], Generic[E, H]):
    """Packed entities by their keys, which look like a dictionary of entities."""

    __slots__ = ("_opened", "_packed")

    def __init__(self, opened: Opened[E]) -> None:
        """`opened` may be that of several."""
        self._opened = opened
        self._packed: dict[str, Packed[H]] = {}

    def __getitem__(self, key: str) -> E:
        """Opens it."""
        return self._opened.read(self._packed[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, key: object) -> bool:
        return key in self._packed

    @property
    def heads(self) -> Iterator[H]:
        """Of all of them, in the order of the keys."""
        return (packed.head for packed in self._packed.values())

    def head(self, key: str) -> H | None:
        """Of one of them, without opening it."""
        packed = self._packed.get(key)
        return None if packed is None else packed.head

    def read(self, key: str, opened: Opened[R]) -> R:
        """The one that is there, as another reader sees it."""
        return opened.read(self._packed[key])

    def put(self, key: str, packed: Packed[H]) -> None:
        """In place of what is there."""
        self._packed[key] = packed

    def copy(self, key: str, source: "Shelf[E, H]", source_key: str) -> None:
        """What the other has there, too."""
        self._packed[key] = source._packed[source_key]

    def remove(self, key: str) -> None:
        """If it is there."""
        self._packed.pop(key, None)
