"""Deletes old objects, as a lifecycle rule of a bucket does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from transport.storage import Storage

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would have been."""

    objects: int
    size_bytes: int


async def prune(
    storage: Storage,
    prefixes: Sequence[str],
    before: datetime,
    *,
    dry_run: bool = False,
    told: Callable[[int], None] = lambda _: None,
) -> Pruned:
    """Deletes what was last written before that time, and calls `told` with the number of objects so far.

    Raises `StorageUnavailable`; what was deleted until then is gone, and doing it again goes on.
    """
    objects = size = 0
    batch: list[str] = []
    for prefix in prefixes:
        async for found in storage.list(prefix):
            if found.modified_at >= before:
                continue
            objects += 1
            size += found.size
            batch.append(found.key)
            if len(batch) >= _AT_ONCE:
                await _delete(storage, batch, dry_run)
                told(objects)
    await _delete(storage, batch, dry_run)
    return Pruned(objects, size)


async def _delete(storage: Storage, batch: list[str], dry_run: bool) -> None:
    if not dry_run:
        await storage.delete(batch)
    batch.clear()
