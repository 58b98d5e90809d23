"""Objects under keys, beside Kafka: what is too large for a message. A folder, S3, Google Cloud or Azure.

Every write is atomic: a reader sees the whole object or none. Writing the same object again is harmless, and
that is what happens after a crash.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from transport.errors import ObjectMissing, ObjectTooLarge, StorageUnavailable
from transport.settings import StorageSettings

_BYTES = "application/octet-stream"
_CHUNK_BYTES = 1024 * 1024
_PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes."""
_PARTS_SENT = 2
STREAM_BYTES = (_PARTS_SENT + 1) * _PART_BYTES
"""What `Storage.put_stream` holds at most: a part that fills behind those that are sent."""
_PAGE = 1000
_RETRY_S = 10


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a listing says about an object."""

    key: str
    size: int
    modified_at: datetime
    """In UTC."""


class Storage:
    """One bucket or folder. May be used concurrently; nothing to close.

    What a coroutine of obstore gives, a thread of its own hands over, and it may still be about that when the
    event loop has ended: an interpreter that ends in that moment aborts. `list` and `delete`, the last that a
    command asks for, therefore work in threads of the loop, which `asyncio.run` waits for. A role, which uses
    the others, lives on for a while.

    Every method raises `StorageUnavailable` when the store does not answer, or refuses, and `ValueError` for
    a key with empty or dotted segments.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        # The content type of a file is in its metadata as well: a folder has no place for it.
        self._keeps_types = not isinstance(store, LocalStore)

    @classmethod
    def open(cls, settings: StorageSettings) -> Self:
        """Makes the folder if there is none. Blocks for a moment; reaches no server yet."""
        folder = settings.folder
        with _translated(settings.storage or str(folder)):
            if folder is not None:
                # Or each run whose values were deleted would leave an empty folder.
                return cls(LocalStore(folder, mkdir=True, automatic_cleanup=True))
            retry = {"max_retries": 5, "retry_timeout": timedelta(seconds=_RETRY_S)}
            store: ObjectStore = from_url(settings.storage, retry_config=retry)  # type: ignore[call-overload]
            return cls(store)

    async def put(self, key: str, content: bytes, content_type: str = _BYTES) -> None:
        """Returns when the object is there, whole; replaces what was there."""
        with _translated(key):
            await obstore.put_async(self._store, key, content, attributes=self._attributes(content_type))

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], max_bytes: int, content_type: str = _BYTES
    ) -> int:
        """The same for what arrives piece by piece; its size. What `chunks` raises goes through, and then
        there is no object. Raises `ObjectTooLarge` as soon as it is longer than `max_bytes`."""
        counted = _Counted(key, chunks, max_bytes)
        attributes = self._attributes(content_type)
        with _translated(key):
            try:
                await obstore.put_async(
                    self._store,
                    key,
                    aiter(counted),
                    attributes=attributes,
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_SENT,
                )
            except Exception:
                if counted.failure is None:
                    raise
        if counted.failure is not None:
            raise counted.failure
        return counted.size

    async def get(self, key: str, max_bytes: int | None = None) -> bytes:
        """The whole object. Raises `ObjectMissing`, and `ObjectTooLarge` before it reads."""
        with _translated(key):
            found = await obstore.get_async(self._store, key)
            size = found.meta["size"]
            if max_bytes is not None and size > max_bytes:
                raise ObjectTooLarge(f"{key} has {size} bytes, at most {max_bytes} are taken")
            return bytes(await found.bytes_async())

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The object piece by piece. Raises `ObjectMissing` before the first."""
        with _translated(key):
            found = await obstore.get_async(self._store, key)
            async for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

    async def exists(self, key: str) -> bool:
        """Whether there is an object."""
        try:
            with _translated(key):
                await obstore.head_async(self._store, key)
        except ObjectMissing:
            return False
        return True

    async def delete(self, keys: Sequence[str]) -> None:
        """Deleting what is not there is no failure."""
        for key in keys:
            try:
                with _translated(key):
                    await asyncio.to_thread(obstore.delete, self._store, key)
            except ObjectMissing:
                pass

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """All objects below a prefix of whole segments, in no order."""
        with _translated(prefix):
            pages = obstore.list(self._store, prefix, chunk_size=_PAGE)
            while page := await asyncio.to_thread(next, pages, None):
                for found in page:
                    yield StoredObject(found["path"], found["size"], found["last_modified"])

    def _attributes(self, content_type: str) -> dict[str, str] | None:
        return {"Content-Type": content_type} if self._keeps_types else None


class _Counted:
    """A stream that stops at its limit, and remembers why it broke off."""

    def __init__(self, key: str, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        self.size = 0
        self.failure: Exception | None = None
        self._key = key
        self._chunks = chunks
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                self.size += len(chunk)
                if self.size > self._max_bytes:
                    raise ObjectTooLarge(f"{self._key} has more than {self._max_bytes} bytes")
                yield chunk
        except Exception as failure:
            self.failure = failure
            raise


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """obstore's exceptions as ours."""
    try:
        yield
    except FileNotFoundError as missing:
        raise ObjectMissing(f"there is no object {what}") from missing
    except (BaseError, OSError, NotImplementedError) as error:
        reason = str(error).split("\n", 1)[0]
        raise StorageUnavailable(f"object storage (HOPLINE_STORAGE), {what}: {reason}") from error
