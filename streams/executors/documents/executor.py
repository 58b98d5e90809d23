"""The document-extractor node: reads the files, and has them parsed in processes of their own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from schemas.files import extension_of
from streams.executors.documents.inside.errors import DocumentExtractorError, FileDownloadError
from streams.executors.documents.processes import DocumentParsers
from streams.executors.errors import NodeExecutorError
from streams.executors.outcome import NodeCall, Outcome

File = Mapping[str, Any]
ReadFile = Callable[[File, str], Awaitable[bytes]]
"""The bytes of a file value of a tenant. Raises `NodeExecutorError`."""

_AT_ONCE = 4
"""Files of one node in memory."""


class DocumentExtractorExecutor:
    """A `NodeExecutor`. Raises `ParserLost` when this machine can start no parsing process."""

    def __init__(self, parsers: DocumentParsers, read_file: ReadFile) -> None:
        self._parsers = parsers
        self._read_file = read_file

    async def __call__(self, call: NodeCall) -> Outcome:
        """`config` has `documents`: a file, or a list of files. `text` is a text for a file, else a list."""
        documents = call.config["documents"]
        files = documents if isinstance(documents, list) else [documents]
        process_data = {"documents": files}
        try:
            texts = await self._texts(files, call.tenant_id)
        except DocumentExtractorError as error:
            return Outcome(
                "failed", process_data=process_data, error=str(error), error_type=type(error).__name__
            )
        text = texts if isinstance(documents, list) else texts[0]
        return Outcome("succeeded", outputs={"text": text}, process_data=process_data)

    async def _texts(self, files: list[File], tenant_id: str) -> list[str]:
        """In the order of the files, several at a time; the first failure ends the others."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def text(file: File) -> str:
            async with turns:
                return await self._text(file, tenant_id)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(text(file)) for file in files]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return [task.result() for task in tasks]

    async def _text(self, file: File, tenant_id: str) -> str:
        try:
            content = await self._read_file(file, tenant_id)
        except NodeExecutorError as error:
            raise FileDownloadError(f"Error downloading file: {error}") from error
        mime_type = str(file.get("mime_type") or "")
        # The end of a URL or of a name says less than a MIME type that somebody has stated.
        extension = str(file.get("extension") or "") or ("" if mime_type else extension_of(file))
        return await self._parsers.text_of(content, extension, mime_type)
