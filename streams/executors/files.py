"""Files for the nodes that read or make some: from the storage, or from the network through the guard."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp

from schemas.files import extension_of, transfer_method_of
from schemas.ids import entity_id, now_us
from streams.executors.errors import FileUnreadable
from streams.executors.settings import FileReadSettings
from transport.egress import EgressRefused
from transport.errors import ObjectMissing, ObjectTooLarge
from transport.files import FileStore, StoredFile, describe

_CHUNK_BYTES = 65_536
_MAX_REDIRECTS = 5


class Files:
    """What executors get. May be used concurrently."""

    def __init__(self, store: FileStore, session: aiohttp.ClientSession, settings: FileReadSettings) -> None:
        """`session` is the guarded one and belongs to the caller."""
        self._store = store
        self._session = session
        self._settings = settings

    async def read_file(self, file: Mapping[str, Any], tenant_id: str) -> bytes:
        """The bytes of a file value, of `tenant_id` or of the network; at most `file_max_bytes` of them.

        Raises `FileUnreadable`, whose text names the file, and `StorageUnavailable`.
        """
        if transfer_method_of(file) == "remote_url":
            return await self._fetch(str(file.get("remote_url") or file.get("url") or ""))
        file_id = str(file.get("related_id") or file.get("upload_file_id") or "")
        try:
            return await self._store.read(tenant_id, file_id, self._settings.max_bytes)
        except ObjectMissing as missing:
            named = file.get("filename") or file_id
            raise FileUnreadable(f"there is no file {named!r}: it was never stored, or deleted") from missing
        except ObjectTooLarge as large:
            raise FileUnreadable(f"{file.get('filename') or file_id}: {large}") from large

    async def save_file(
        self,
        tenant_id: str,
        content: bytes,
        *,
        identity: str,
        filename: str | None = None,
        mime_type: str | None = None,
    ) -> dict[str, Any]:
        """Stores a file that a node has made, and returns its value (transfer_method `tool_file`).

        `identity` tells it from all others and is the same when the node is executed again, such as
        `<execution id>/0`: the second write then replaces the first. Raises `StorageUnavailable`.
        """
        name, kind = describe(filename, mime_type)
        file = StoredFile(
            id=entity_id("file", tenant_id, identity),
            tenant_id=tenant_id,
            filename=name,
            mime_type=kind,
            size=len(content),
            created_at=now_us(),
        )
        await self._store.save(file, content)
        return self._store.value(file, "tool_file")

    def url_of(self, file: Mapping[str, Any], tenant_id: str) -> str:
        """Where a model or a tool may fetch the file itself: its own URL, or a link signed now.

        Raises `FileUnreadable` for a stored file where the deployment has no HOPLINE_PUBLIC_URL.
        """
        if transfer_method_of(file) == "remote_url":
            return str(file.get("remote_url") or file.get("url") or "")
        file_id = str(file.get("related_id") or file.get("upload_file_id") or "")
        link = self._store.links.url(tenant_id, file_id)
        if link is None or not link.startswith(("http://", "https://")):
            raise FileUnreadable(
                f"file {file.get('filename') or file_id!r} has no URL: set HOPLINE_PUBLIC_URL and "
                "HOPLINE_SECRET_KEY for the workers"
            )
        return link

    async def _fetch(self, url: str) -> bytes:
        most = self._settings.max_bytes
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        try:
            async with self._session.get(url, timeout=timeout, max_redirects=_MAX_REDIRECTS) as response:
                if response.status >= 400:
                    raise FileUnreadable(f"{url} answers with status {response.status}")
                content = bytearray()
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    content += chunk
                    if len(content) > most:
                        raise FileUnreadable(f"{url} has more than {most} bytes (HOPLINE_FILE_MAX_BYTES)")
                return bytes(content)
        except EgressRefused as refused:
            raise FileUnreadable(f"{url}: {refused}") from refused
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FileUnreadable(f"{url}: {error or type(error).__name__}") from error


def name_of(file: Mapping[str, Any]) -> str:
    """What the file is called: its name, else the end of its URL, else `file` with its extension."""
    if file.get("filename"):
        return str(file["filename"])
    path = urlsplit(str(file.get("remote_url") or file.get("url") or "")).path
    extension = extension_of(file)
    return unquote(path.rsplit("/", 1)[-1]) or (f"file.{extension}" if extension else "file")
