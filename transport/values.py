"""Large values in the object storage, written before whoever refers to them is sent."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from schemas.references import MARK, references_in, resolved, value_key
from transport.errors import ObjectMissing, StorageUnavailable
from transport.recent import Recent
from transport.storage import Storage

_AT_ONCE = 16
_ATTEMPTS = 5
_PAUSE_S = 0.2
_CACHE_BYTES = 64 * 1024 * 1024
_MOST_DEPTH = 4
"""References may lead to values with references; nothing makes longer chains than two."""


class Upload(NamedTuple):
    """An object to be written."""

    key: str
    content: bytes
    anew: bool = False
    """Written even if it is known to be there: what is younger is deleted later."""


class ValueStore:
    """Puts and gets JSON by key, and remembers the last of what it has seen: objects never change."""

    def __init__(self, storage: Storage, cache_bytes: int = _CACHE_BYTES) -> None:
        self._storage = storage
        self._cache_bytes = cache_bytes
        self._cached: Recent[str, bytes] = Recent(cache_bytes)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def put_all(self, uploads: Sequence[Upload]) -> None:
        """Returns when all of them are there. Raises `StorageUnavailable` after a few attempts."""
        fresh = {
            upload.key: upload.content for upload in uploads if upload.anew or upload.key not in self._cached
        }
        await asyncio.gather(*(self._put(key, content) for key, content in fresh.items()))

    def cached(self, key: str) -> bytes | None:
        """The object, if it is at hand. Does not block."""
        return self._cached.get(key)

    async def get(self, key: str) -> bytes:
        """The object. Raises `ObjectMissing`, `StorageUnavailable`."""
        content = self.cached(key)
        if content is None:
            async with self._slots:
                content = await self._storage.get(key)
            self._remember(key, content)
        return content

    async def resolve(self, tenant_id: str, owner_id: str, value: Any) -> Any:
        """The value with all references in it replaced by what they stand for. Raises as `get` does."""
        for _ in range(_MOST_DEPTH):
            digests = {found[MARK] for found in references_in(value)}
            if not digests:
                return value
            contents = await self._get_all(value_key(tenant_id, owner_id, digest) for digest in digests)
            value = resolved(value, dict(zip(digests, map(orjson.loads, contents), strict=True)))
        raise ObjectMissing("a value refers to a value that refers to a value, and so on")

    async def _get_all(self, keys: Iterable[str]) -> list[bytes]:
        return await asyncio.gather(*(self.get(key) for key in keys))

    async def _put(self, key: str, content: bytes) -> None:
        async with self._slots:
            for attempt in range(_ATTEMPTS):
                try:
                    await self._storage.put(key, content, "application/json")
                    break
                except StorageUnavailable:
                    if attempt == _ATTEMPTS - 1:
                        raise
                    await asyncio.sleep(_PAUSE_S * 2**attempt)
        self._remember(key, content)

    def _remember(self, key: str, content: bytes) -> None:
        if key in self._cached or len(content) > self._cache_bytes:
            return
        self._cached.keep(key, content, len(content))
