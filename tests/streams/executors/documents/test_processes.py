"""Parsing processes: documents that want too much end their own process and nothing else."""

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from streams.executors.documents.inside.errors import TextExtractionError, UnsupportedFileTypeError
from streams.executors.documents.processes import DocumentParsers
from streams.executors.documents.settings import DocumentSettings
from tests.streams.executors.documents import samples

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_document_in_and_its_text_out(parsers: DocumentParsers) -> None:
    large = "é" * 300_000
    texts = await asyncio.gather(
        parsers.text_of(samples.word(), "docx", ""),
        parsers.text_of(samples.pdf("Hello"), "", "application/pdf"),
        parsers.text_of(large.encode(), "txt", ""),
    )
    assert texts == ["Report\nFirst.\nLast.", "Hello", large]


async def test_refusals_come_back_as_they_were_raised(parsers: DocumentParsers) -> None:
    with pytest.raises(UnsupportedFileTypeError, match=r"\.exe"):
        await parsers.text_of(b"MZ", "exe", "")
    with pytest.raises(TextExtractionError, match="PDF"):
        await parsers.text_of(b"MZ", "pdf", "")


async def test_memory_is_bounded(parsers: DocumentParsers) -> None:
    # Half a million objects of a few hundred bytes each, from a few hundred kilobytes.
    hungry = b"[" + b"[" * 900 + b"]" * 900 + b",{}" * 12_000_000 + b"]"
    with pytest.raises(TextExtractionError, match="600 MB of memory"):
        await parsers.text_of(hungry, "json", "")
    assert await parsers.text_of(b"next", "txt", "") == "next"


async def test_time_is_bounded() -> None:
    settings = DocumentSettings(timeout_s=0.2)
    async with DocumentParsers(settings) as parsers:
        with pytest.raises(TextExtractionError, match=r"more than 0\.2 s"):
            await parsers.text_of(b"- a\n" * 1_000_000, "yaml", "")
        assert await parsers.text_of(b"next", "txt", "") == "next"


async def test_text_is_bounded(parsers: DocumentParsers) -> None:
    with pytest.raises(TextExtractionError, match="HOPLINE_DOCUMENTS_MAX_TEXT_MB"):
        await parsers.text_of(b"x" * ((4 << 20) + 1), "txt", "")


async def test_a_document_is_bounded_before_it_is_looked_at() -> None:
    async with DocumentParsers(DocumentSettings(max_file_mb=1)) as parsers:
        with pytest.raises(TextExtractionError, match="HOPLINE_DOCUMENTS_MAX_FILE_MB"):
            await parsers.text_of(b"x" * ((1 << 20) + 1), "txt", "")


async def test_entities_that_multiply_are_not_resolved(parsers: DocumentParsers) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = (
        f'<!DOCTYPE w [<!ENTITY e0 "ha">{levels}]><w:document xmlns:w="x"><w:body>&e11;</w:body></w:document>'
    )
    files = {"[Content_Types].xml": "<Types/>", "word/document.xml": bomb}
    with pytest.raises(TextExtractionError):
        await parsers.text_of(samples.archive(files), "docx", "")
    with pytest.raises(TextExtractionError):
        await parsers.text_of(samples.archive({"content.xml": bomb}), "odt", "")


async def test_aliases_that_multiply_are_not_written_out(parsers: DocumentParsers) -> None:
    lines = ["a0: &a0 [ha, ha]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert len(await parsers.text_of("\n".join(lines).encode(), "yaml", "")) < 10_000


async def test_another_server_takes_over_when_one_is_gone() -> None:
    async with DocumentParsers(DocumentSettings(processes=1)) as parsers:
        assert await parsers.text_of(b"one", "txt", "") == "one"
        server = parsers._server
        assert server is not None
        server._process.kill()
        await asyncio.to_thread(server._process.wait)
        assert await parsers.text_of(b"two", "txt", "") == "two"


async def test_nothing_of_the_environment_is_there_for_a_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_SECRET_KEY", "k" * 32)
    async with DocumentParsers(DocumentSettings(processes=1)) as parsers:
        await parsers.text_of(b"x", "txt", "")
        assert parsers._server is not None
        environment = await asyncio.to_thread(
            Path(f"/proc/{parsers._server._process.pid}/environ").read_bytes
        )
        assert b"HOPLINE" not in environment


def _busy(server: psutil.Process) -> list[psutil.Process]:
    """Its fork, once that has been parsing for a while."""
    while not (busy := [one for one in server.children() if one.cpu_times().user > 0.2]):
        time.sleep(0.01)
    return busy


async def test_a_parser_that_nobody_waits_for_ends_at_once() -> None:
    async with DocumentParsers(DocumentSettings(processes=1, timeout_s=600)) as parsers:
        await parsers.text_of(b"x", "txt", "")
        assert parsers._server is not None
        server = psutil.Process(parsers._server._process.pid)
        parsing = asyncio.create_task(parsers.text_of(b"- a\n" * 3_000_000, "yaml", ""))
        busy = await asyncio.to_thread(_busy, server)
        parsing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await parsing
        _, alive = await asyncio.to_thread(psutil.wait_procs, busy, 10)
        assert alive == []
        assert await parsers.text_of(b"next", "txt", "") == "next"


async def test_a_text_that_is_read_slowly_arrives_whole(parsers: DocumentParsers) -> None:
    large = b"x" * (3 << 20)
    assert await parsers.text_of(large, "txt", "") == large.decode()
