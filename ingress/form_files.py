"""Files that arrive in the form of a webhook: they go to the storage, and the event refers to them."""

from typing import Any

from schemas.ids import bytes_id, entity_id, now_us
from transport.files import FileStore, StoredFile, describe


class FormFiles:
    """The files of one request."""

    def __init__(self, files: FileStore, tenant_id: str) -> None:
        self._files = files
        self._tenant_id = tenant_id
        self._kept: list[dict[str, Any]] = []

    async def keep(self, filename: str, content_type: str | None, content: bytes) -> dict[str, Any]:
        """The value of a file, once it is stored. Its id follows from what it is: delivered again it is the
        same file, and so the same event. Raises `StorageUnavailable`."""
        name, mime_type = describe(filename, content_type)
        file = StoredFile(
            id=entity_id("file", self._tenant_id, name, mime_type, bytes_id(content)),
            tenant_id=self._tenant_id,
            filename=name,
            mime_type=mime_type,
            size=len(content),
            created_at=now_us(),
        )
        await self._files.save(file, content)
        value = {**self._files.value(file, "local_file"), "url": None}
        self._kept.append(value)
        return value

    def link(self) -> None:
        """Gives the values their links, once the identity of the event is known: each link is another text.
        Only what came in this request: a body can hold an object that looks like somebody else's file."""
        for value in self._kept:
            value["url"] = self._files.links.url(self._tenant_id, value["related_id"])
