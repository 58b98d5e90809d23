"""The contract of the object storage, over a folder and over obstore's own store in memory."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import MemoryStore
from pydantic import ValidationError

from transport.errors import ObjectMissing, ObjectTooLarge, StorageUnavailable
from transport.settings import StorageSettings
from transport.storage import Storage


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return Storage(MemoryStore())
    return Storage.open(StorageSettings(storage=f"file://{tmp_path}/not there/yet"))


async def chunks(*given: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for one in given:
        yield one
    if then is not None:
        raise then


async def test_what_was_put_is_there_and_can_be_replaced(storage: Storage) -> None:
    await storage.put("files/a/1", b"one", "text/plain")
    await storage.put("files/a/1", b"two")
    assert await storage.get("files/a/1") == b"two"
    assert await storage.exists("files/a/1")
    assert not await storage.exists("files/a/2")


async def test_an_empty_object_is_an_object(storage: Storage) -> None:
    await storage.put("files/a/1", b"")
    assert await storage.get("files/a/1") == b""


async def test_a_stream_in_and_out_is_the_same_bytes(storage: Storage) -> None:
    parts = [bytes([n]) * 700_000 for n in range(12)]
    assert await storage.put_stream("big", chunks(*parts), max_bytes=10_000_000) == 8_400_000
    assert b"".join([chunk async for chunk in storage.stream("big")]) == b"".join(parts)


async def test_a_stream_that_is_too_long_leaves_nothing(storage: Storage) -> None:
    with pytest.raises(ObjectTooLarge):
        await storage.put_stream("big", chunks(b"x" * 10, b"x" * 10), max_bytes=15)
    assert not await storage.exists("big")


async def test_a_stream_that_breaks_off_leaves_nothing_and_says_why(storage: Storage) -> None:
    with pytest.raises(ConnectionResetError):
        await storage.put_stream("big", chunks(b"x", then=ConnectionResetError()), max_bytes=15)
    assert not await storage.exists("big")


async def test_what_is_larger_than_the_reader_takes_is_refused(storage: Storage) -> None:
    await storage.put("a", b"12345")
    assert await storage.get("a", max_bytes=5) == b"12345"
    with pytest.raises(ObjectTooLarge, match="5 bytes"):
        await storage.get("a", max_bytes=4)


async def test_what_is_not_there(storage: Storage) -> None:
    with pytest.raises(ObjectMissing):
        await storage.get("a")
    with pytest.raises(ObjectMissing):
        await anext(storage.stream("a"))
    await storage.delete(["a", "b"])


async def test_a_listing_has_what_is_below_a_prefix(storage: Storage) -> None:
    for key in ("values/a/1", "values/a/b/2", "values/ab", "files/a"):
        await storage.put(key, b"12")
    found = {one.key: one async for one in storage.list("values/a")}
    assert found.keys() == {"values/a/1", "values/a/b/2"}
    assert found["values/a/1"].size == 2
    assert abs(found["values/a/1"].modified_at - datetime.now(UTC)) < timedelta(minutes=1)
    await storage.delete(["values/a/1"])
    assert [one.key async for one in storage.list("values/a")] == ["values/a/b/2"]


@pytest.mark.parametrize("key", ["files/../../etc/passwd", "files//a"])
async def test_a_key_never_leads_out_of_the_store(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="path"):
        await storage.put(key, b"x")


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable, match="HOPLINE_STORAGE"):
        Storage.open(StorageSettings(storage=f"file://{tmp_path}/file/below"))
    with pytest.raises(StorageUnavailable, match=f"{tmp_path}/file/storage: Not a directory"):
        Storage.open(StorageSettings(storage="", data_dir=tmp_path / "file"))


def test_without_a_url_it_is_in_the_data_directory(tmp_path: Path) -> None:
    assert StorageSettings(storage="", data_dir=tmp_path).folder == tmp_path / "storage"
    assert StorageSettings(storage="s3://bucket/prefix").folder is None
    with pytest.raises(ValidationError, match="HOPLINE_STORAGE"):
        StorageSettings(storage="ftp://x")


def test_the_address_of_an_ingress_is_not_taken_for_a_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_URL", "http://127.0.0.1:8080")
    assert StorageSettings().storage == ""
    monkeypatch.setenv("HOPLINE_STORAGE", "s3://bucket")
    assert StorageSettings().storage == "s3://bucket"
