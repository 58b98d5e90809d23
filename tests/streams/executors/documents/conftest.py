"""The parsing processes, once for a module: the parsers take a second to load."""

from collections.abc import AsyncIterator

import pytest_asyncio

from streams.executors.documents.processes import DocumentParsers
from streams.executors.documents.settings import DocumentSettings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parsers() -> AsyncIterator[DocumentParsers]:
    """For modules whose tests run on the module's loop."""
    settings = DocumentSettings(processes=2, timeout_s=20, memory_mb=600, max_unpacked_mb=8, max_text_mb=4)
    async with DocumentParsers(settings) as parsers:
        yield parsers
