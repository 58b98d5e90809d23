"""Files in the storage: whose they are, what they are called, and who may follow a link."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from obstore.store import MemoryStore

from transport.errors import ObjectMissing, ObjectTooLarge
from transport.files import FileLinks, FileStore, StoredFile, describe
from transport.storage import Storage

SECRET = "s" * 32


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(clock: Clock) -> FileStore:
    return FileStore(Storage(MemoryStore()), FileLinks(SECRET, "https://hooks.example", 60, clock))


def pdf(**given: Any) -> StoredFile:
    fields = {
        "id": "f-1",
        "tenant_id": "t-1",
        "filename": "Report.PDF",
        "mime_type": "application/pdf",
        "size": 3,
        "created_at": 5,
    }
    return StoredFile.model_validate({**fields, **given})


@pytest.mark.parametrize("tenant_id", ["acme.com", "ops@eu.acme.com", "a:b", "t" * 200])
async def test_a_tenant_may_be_called_as_a_domain_is(files: FileStore, tenant_id: str) -> None:
    file = pdf(tenant_id=tenant_id)
    await files.save(file, b"hello")
    assert await files.find(tenant_id, file.id) == file
    assert await files.read(tenant_id, file.id) == b"hello"


@pytest.mark.parametrize("tenant_id", ["", "..", ".x", "a/b", "../t-1", "t-1/f-1"])
async def test_no_tenant_is_a_path(files: FileStore, tenant_id: str) -> None:
    with pytest.raises(ObjectMissing):
        await files.find(tenant_id, "f-1")


async def test_a_file_is_described_and_read_within_its_tenant(files: FileStore) -> None:
    await files.save(pdf(), b"pdf")
    assert await files.find("t-1", "f-1") == pdf()
    assert await files.read("t-1", "f-1") == b"pdf"
    for tenant_id, file_id in (("t-2", "f-1"), ("t-1", "f-2"), ("t-2", "../t-1/f-1"), ("t-1", "f-1.json")):
        with pytest.raises(ObjectMissing):
            await files.find(tenant_id, file_id)
        with pytest.raises(ObjectMissing):
            await files.read(tenant_id, file_id)


async def test_a_file_that_breaks_off_cannot_be_described(files: FileStore) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"1234"

    with pytest.raises(ObjectTooLarge):
        await files.save_stream(pdf(), chunks(), max_bytes=3)
    with pytest.raises(ObjectMissing):
        await files.find("t-1", "f-1")
    stored = await files.save_stream(pdf(size=0), chunks(), max_bytes=4)
    assert (stored.size, await files.find("t-1", "f-1")) == (4, stored)
    assert [chunk async for chunk in files.stream(stored)] == [b"1234"]


def test_the_value_has_the_names_of_dify(files: FileStore) -> None:
    value = files.value(pdf(), "local_file")
    url = value.pop("url")
    assert value == {
        "dify_model_identity": "__dify__file__",
        "id": None,
        "tenant_id": "t-1",
        "type": "document",
        "transfer_method": "local_file",
        "remote_url": None,
        "related_id": "f-1",
        "filename": "Report.PDF",
        "extension": ".pdf",
        "mime_type": "application/pdf",
        "size": 3,
    }
    assert url.startswith("https://hooks.example/files/f-1?")


def test_a_link_is_good_for_its_file_and_its_time(files: FileStore, clock: Clock) -> None:
    link = dict(parse_qsl(urlsplit(files.links.url("t-1", "f-1") or "").query))
    good = files.links.is_good
    assert good(link["tenant"], "f-1", link["expires"], link["sign"])
    assert not good("t-1", "f-2", link["expires"], link["sign"])
    assert not good("t-2", "f-1", link["expires"], link["sign"])
    assert not good("t-1", "f-1", str(int(link["expires"]) + 1), link["sign"])
    assert not good("t-1", "f-1", "soon", link["sign"])
    assert not good("t-1", "f-1", link["expires"], "é")
    assert not FileLinks("other" * 8, "", 60, clock).is_good("t-1", "f-1", link["expires"], link["sign"])
    clock.now += 60
    assert not good("t-1", "f-1", link["expires"], link["sign"])


def test_without_a_key_there_is_no_link_and_none_is_good() -> None:
    links = FileLinks("", "https://hooks.example", 60)
    assert links.url("t-1", "f-1") is None
    assert not links.is_good("t-1", "f-1", "99999999999", "")


@pytest.mark.parametrize(
    ("filename", "mime_type", "expected"),
    [
        ("a.pdf", None, ("a.pdf", "application/pdf")),
        (None, "image/png", ("file.png", "image/png")),
        (None, None, ("file.bin", "application/octet-stream")),
        ("../../etc/passwd", "text/plain", ("passwd", "text/plain")),
        ("C:\\Users\\x\\a.txt", None, ("a.txt", "text/plain")),
        ("noext", "text/html; charset=utf-8", ("noext", "text/html; charset=utf-8")),
    ],
)
def test_names_and_types(filename: str | None, mime_type: str | None, expected: tuple[str, str]) -> None:
    assert describe(filename, mime_type) == expected


@pytest.mark.parametrize(
    ("filename", "mime_type", "extension", "kind"),
    [
        ("a.PNG", "application/octet-stream", ".png", "image"),
        ("a", "audio/mpeg", ".mp3", "audio"),
        ("a.log", "text/plain", ".log", "document"),
        ("a.exe", "application/x-dosexec", ".exe", "custom"),
        ("a", "application/x-nobody-knows", ".bin", "custom"),
    ],
)
def test_types_by_extension_else_by_media_type(
    filename: str, mime_type: str, extension: str, kind: str
) -> None:
    file = pdf(filename=filename, mime_type=mime_type)
    assert (file.extension, file.type) == (extension, kind)
