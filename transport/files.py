"""Files that were uploaded or made by nodes: their bytes, what they are called, and links to them.

A file is two objects, `files/<tenant>/<id>` and `files/<tenant>/<id>.json`; the second is written last, so a
file that can be described is whole. Both keys are made of the tenant and the id: no value that a workflow
handles can name a key.
"""

import base64
import hashlib
import hmac
import mimetypes
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.files import FILE_IDENTITY, type_of
from schemas.models import TENANT_PATTERN
from transport.errors import ObjectMissing
from transport.storage import Storage

FILES = "files"
"""The prefix of their keys."""

_BYTES = "application/octet-stream"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TENANT_ID = re.compile(TENANT_PATTERN)
_MAX_NAME_CHARS = 200


class StoredFile(BaseModel):
    """What is known of a file besides its bytes."""

    model_config = ConfigDict(frozen=True)

    id: str
    tenant_id: str
    filename: str
    mime_type: str
    size: int
    created_at: int
    """Microseconds."""
    created_by: str | None = None

    @property
    def extension(self) -> str:
        """With its dot, in small letters; `.bin` where nothing tells."""
        suffix = PurePosixPath(self.filename).suffix.lower()
        return suffix or mimetypes.guess_extension(self.mime_type.partition(";")[0].strip()) or ".bin"

    @property
    def type(self) -> str:
        """image, document, audio, video or custom."""
        return type_of(self.extension.removeprefix("."), self.mime_type)


def describe(filename: str | None, mime_type: str | None) -> tuple[str, str]:
    """Name and MIME type of a file of which only one may be known. A name is never a path, and both are text:
    bytes in another charset than UTF-8 become question marks."""
    given = (filename or "").encode("utf-8", "replace").decode()
    name = PurePosixPath(given.replace("\\", "/").replace("\0", "")).name[-_MAX_NAME_CHARS:]
    known = (mime_type or "").encode("utf-8", "replace").decode()
    kind = known or mimetypes.guess_type(name)[0] or _BYTES
    if not name:
        name = f"file{mimetypes.guess_extension(kind.partition(';')[0].strip()) or '.bin'}"
    return name, kind


class FileLinks:
    """Signs and checks links to files. A link is good for one file, for a time, for anybody who has it."""

    def __init__(
        self, secret: str, public_url: str, ttl_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        """`secret`: HOPLINE_SECRET_KEY; without one there are no links. `public_url`: what this deployment is
        reached by; without one links are paths."""
        self._base = public_url.rstrip("/")
        self._ttl_s = ttl_s
        self._clock = clock
        # A key of its own: a signature of a link says nothing about anything else under the same secret.
        self._key = hmac.digest(secret.encode(), b"hopline/file-links", "sha256") if secret else None

    def url(self, tenant_id: str, file_id: str, base: str | None = None) -> str | None:
        """The link; None without a secret key. `base` is the host to use where none is configured."""
        if self._key is None:
            return None
        expires = int(self._clock()) + self._ttl_s
        query = {"expires": expires, "tenant": tenant_id, "sign": self._sign(tenant_id, file_id, expires)}
        return f"{self._base or (base or '').rstrip('/')}/files/{file_id}?{urlencode(query)}"

    def is_good(self, tenant_id: str, file_id: str, expires: str, sign: str) -> bool:
        """Whether this deployment has signed the link and its time is not over. In constant time."""
        if self._key is None or not re.fullmatch(r"[0-9]{1,12}", expires):
            return False
        expected = self._sign(tenant_id, file_id, int(expires))
        return hmac.compare_digest(sign.encode(), expected.encode()) and self._clock() < int(expires)

    def _sign(self, tenant_id: str, file_id: str, expires: int) -> str:
        assert self._key is not None
        told = hmac.digest(self._key, f"{tenant_id}\n{file_id}\n{expires}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(told).decode().rstrip("=")


class FileStore:
    """All files of a deployment, each within its tenant. Methods raise `StorageUnavailable`."""

    def __init__(self, storage: Storage, links: FileLinks) -> None:
        self._storage = storage
        self.links = links

    async def save(self, file: StoredFile, content: bytes) -> None:
        """Returns when the file is whole. `file.size` is that of `content`."""
        await self._storage.put(_key(file.tenant_id, file.id), content, file.mime_type)
        await self._describe(file)

    async def save_stream(self, file: StoredFile, chunks: AsyncIterator[bytes], max_bytes: int) -> StoredFile:
        """The same piece by piece; the file with its size. Raises `ObjectTooLarge`."""
        key = _key(file.tenant_id, file.id)
        size = await self._storage.put_stream(key, chunks, max_bytes, file.mime_type)
        file = file.model_copy(update={"size": size})
        await self._describe(file)
        return file

    async def find(self, tenant_id: str, file_id: str) -> StoredFile:
        """Raises `ObjectMissing`, also for another tenant's file."""
        described = await self._storage.get(_key(tenant_id, file_id) + ".json")
        try:
            return StoredFile.model_validate_json(described)
        except ValidationError as damaged:
            raise ObjectMissing(f"the description of file {file_id} is damaged") from damaged

    async def read(self, tenant_id: str, file_id: str, max_bytes: int | None = None) -> bytes:
        """The bytes. Raises `ObjectMissing`, `ObjectTooLarge`."""
        return await self._storage.get(_key(tenant_id, file_id), max_bytes)

    def stream(self, file: StoredFile) -> AsyncIterator[bytes]:
        """The bytes, piece by piece. Raises `ObjectMissing` before the first."""
        return self._storage.stream(_key(file.tenant_id, file.id))

    def value(self, file: StoredFile, transfer_method: str, base: str | None = None) -> dict[str, Any]:
        """The file as workflows handle it, by Dify's names. `url` is a link that expires, or None."""
        return {
            "dify_model_identity": FILE_IDENTITY,
            "id": None,
            "tenant_id": file.tenant_id,
            "type": file.type,
            "transfer_method": transfer_method,
            "remote_url": None,
            "related_id": file.id,
            "filename": file.filename,
            "extension": file.extension,
            "mime_type": file.mime_type,
            "size": file.size,
            "url": self.links.url(file.tenant_id, file.id, base),
        }

    async def _describe(self, file: StoredFile) -> None:
        content = file.model_dump_json().encode()
        await self._storage.put(_key(file.tenant_id, file.id) + ".json", content, "application/json")


def _key(tenant_id: str, file_id: str) -> str:
    """Raises `ObjectMissing` for what cannot be an id: whoever sends one learns nothing else."""
    if not _ID.fullmatch(file_id) or not _TENANT_ID.fullmatch(tenant_id):
        raise ObjectMissing(f"there is no file {file_id[:100]!r}")
    return f"{FILES}/{tenant_id}/{file_id}"
