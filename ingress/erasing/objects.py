"""Deletes a tenant's objects: files, and values of runs."""

from collections.abc import Awaitable, Callable

from transport.storage import Storage

_SEGMENTS = {"files": 3, "values": 4}
"""Prefix -> segments of a key: <prefix>/<tenant>/<id>, or one more. A tenant may be called as the path of
another one begins."""
_AT_ONCE = 500


async def delete_objects(storage: Storage, tenant_id: str, alive: Callable[[], Awaitable[None]]) -> int:
    """How many there were; `alive` is called meanwhile. Raises `StorageUnavailable`; repeated, it goes on."""
    deleted = 0
    batch: list[str] = []
    for prefix, segments in _SEGMENTS.items():
        own = tenant_id.count("/")
        async for found in storage.list(f"{prefix}/{tenant_id}"):
            if found.key.count("/") + 1 - own == segments:
                batch.append(found.key)
                deleted += 1
            if len(batch) >= _AT_ONCE:
                await storage.delete(batch)
                batch.clear()
                await alive()
    await storage.delete(batch)
    return deleted
