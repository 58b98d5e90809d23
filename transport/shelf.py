"""Many entities in little memory: as compressed JSON, of which those that were asked for last are open.

A workflow as Python has it takes twenty times the memory of that, and most of a hundred thousand are rarely
asked for. To open one takes about 40 µs.
"""

import zlib
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

import orjson

from schemas.models import Entity
from transport.recent import Recent

E = TypeVar("E", bound=Entity)

_FAST = 1
_MOST_OPEN_BYTES = 32 * 1024 * 1024
"""Of JSON, which takes some five times as much in memory once it is open."""


class Packed(NamedTuple):
    """One entity, with what lists of many are made of."""

    tenant_id: str
    updated_at: datetime
    content: bytes
    size: int
    """Bytes of the JSON."""


def pack(entity: Entity, body: bytes) -> Packed:
    """`body`: the JSON that the entity was read from."""
    return Packed(entity.tenant_id, entity.updated_at, zlib.compress(body, _FAST), len(body))


class Opened(Generic[E]):
    """Reads what is packed, and keeps what it was asked for last."""

    def __init__(self, model: type[E], most_bytes: int = _MOST_OPEN_BYTES) -> None:
        """`most_bytes`: of JSON. The one that was asked for last is kept, however large it is."""
        self._model = model
        # By content: what has been replaced is not asked for again, and goes by itself.
        self._open: Recent[bytes, E] = Recent(most_bytes)

    def read(self, packed: Packed) -> E:
        """The same object each time while it is kept."""
        found = self._open.get(packed.content)
        if found is not None:
            return found
        entity = self._model.model_validate(orjson.loads(zlib.decompress(packed.content)))
        return self._open.keep(packed.content, entity, packed.size)


class Shelf(Mapping[str, E]):
    """Packed entities by their keys, which look like a dictionary of entities."""

    __slots__ = ("_opened", "_packed")

    def __init__(self, opened: Opened[E]) -> None:
        """`opened` may be that of several."""
        self._opened = opened
        self._packed: dict[str, Packed] = {}

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
    def packed(self) -> Collection[Packed]:
        """All of them, without opening any."""
        return self._packed.values()

    def put(self, key: str, packed: Packed) -> None:
        """In place of what is there."""
        self._packed[key] = packed

    def copy(self, key: str, source: "Shelf[E]", source_key: str) -> None:
        """What the other has there, too."""
        self._packed[key] = source._packed[source_key]

    def remove(self, key: str) -> None:
        """If it is there."""
        self._packed.pop(key, None)
