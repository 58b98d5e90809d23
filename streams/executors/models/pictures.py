"""What a model has drawn, as files: kept in the storage, and shown in the text."""

import base64
import binascii
import mimetypes
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes, urlsplit

from streams.executors.models.node_errors import LLMNodeError
from streams.executors.models.prompting import ReadFile
from streams.executors.outcome import NodeCall

_USUAL = "image/png"
"""Of an image of which nothing says what it is."""


class SaveFile(Protocol):
    """Stores a file and gives its value; see `Files.save_file`."""

    async def __call__(
        self, tenant_id: str, content: bytes, *, identity: str, filename: str | None, mime_type: str | None
    ) -> dict[str, Any]: ...


async def keep(
    images: Sequence[str], call: NodeCall, read_file: ReadFile, save_file: SaveFile
) -> list[dict[str, Any]]:
    """The file values. An image that is elsewhere is fetched, since it may be gone tomorrow.

    Raises `LLMNodeError` for a `data:` URL that cannot be read, and `FileUnreadable`.
    """
    kept = []
    for place, url in enumerate(images):
        if url.startswith("data:"):
            filename, (content, mime_type) = None, _data(url)
        else:
            filename = urlsplit(url).path.rpartition("/")[2]
            content = await read_file(_remote(url), call.tenant_id)
            mime_type = mimetypes.guess_type(filename)[0] or _USUAL
        identity = f"{call.execution_id}/{place}"
        file = await save_file(
            call.tenant_id, content, identity=identity, filename=filename, mime_type=mime_type
        )
        kept.append(file)
    return kept


def with_pictures(text: str, files: Sequence[dict[str, Any]]) -> str:
    """As Dify shows them: images in Markdown after what was said."""
    return text + "".join(f"![]({file['url']})" for file in files if file.get("url"))


def _remote(url: str) -> dict[str, Any]:
    return {"type": "image", "transfer_method": "remote_url", "remote_url": url}


def _data(url: str) -> tuple[bytes, str]:
    """RFC 2397."""
    head, _, body = url.removeprefix("data:").partition(",")
    mime_type, *parameters = head.split(";")
    try:
        content = base64.b64decode(body, validate=True) if "base64" in parameters else unquote_to_bytes(body)
    except binascii.Error as error:
        raise LLMNodeError("the model has given an image that cannot be read") from error
    return content, mime_type or _USUAL
