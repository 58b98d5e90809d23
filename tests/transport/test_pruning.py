"""Deleting old objects, over a folder and over obstore's store in memory."""

import asyncio
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from transport import pruning
from transport.errors import StorageUnavailable
from transport.pruning import Pruned, prune
from transport.settings import StorageSettings
from transport.storage import Storage

SOON = timedelta(hours=1)


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return Storage(MemoryStore())
    return Storage.open(StorageSettings(data_dir=tmp_path))


async def filled(storage: Storage) -> datetime:
    """Ten values of ten runs and a file; the time after that."""
    for number in range(10):
        await storage.put(f"values/t/run{number}/x", b"12345")
    await storage.put("files/t/x", b"1")
    return datetime.now(UTC) + SOON


async def keys(storage: Storage) -> set[str]:
    return {found.key async for found in storage.list("")}


async def test_more_than_are_deleted_at_once(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_AT_ONCE", 3)
    told: list[int] = []
    before = await filled(storage)
    assert await prune(storage, ["values"], before, told=told.append) == Pruned(10, 50)
    assert await keys(storage) == {"files/t/x"}
    assert told == [3, 6, 9]
    assert await prune(storage, ["values", "files"], before) == Pruned(1, 1)


async def test_what_is_younger_stays(storage: Storage) -> None:
    before = await filled(storage) - 2 * SOON
    assert await prune(storage, ["values", "files"], before) == Pruned(0, 0)
    assert len(await keys(storage)) == 11


async def test_a_dry_run_deletes_nothing(storage: Storage) -> None:
    before = await filled(storage)
    assert await prune(storage, ["values"], before, dry_run=True) == Pruned(10, 50)
    assert len(await keys(storage)) == 11


async def test_what_is_written_anew_is_young_again(storage: Storage) -> None:
    await storage.put("values/t/run/used", b"1")
    await storage.put("values/t/run/unused", b"1")
    await asyncio.sleep(0.02)  # beyond the resolution of the time of a file
    before = datetime.now(UTC)
    await asyncio.sleep(0.02)
    await storage.put("values/t/run/used", b"1")
    assert (await prune(storage, ["values"], before)).objects == 1
    assert await keys(storage) == {"values/t/run/used"}


async def test_no_empty_folders_are_left(tmp_path: Path) -> None:
    storage = Storage.open(StorageSettings(data_dir=tmp_path))
    await prune(storage, ["values"], await filled(storage))
    assert os.listdir(tmp_path / "storage") == ["files"]
    await storage.put("values/t/run/x", b"1")
    assert await storage.get("values/t/run/x") == b"1"


async def test_what_was_deleted_before_a_failure_is_gone_and_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Shaky(Storage):
        calls = 0

        async def delete(self, keys: list[str]) -> None:  # type: ignore[override]
            self.calls += 1
            if self.calls == 2:
                raise StorageUnavailable("not now")
            await super().delete(keys)

    monkeypatch.setattr(pruning, "_AT_ONCE", 4)
    storage = Shaky(MemoryStore())
    before = await filled(storage)
    with pytest.raises(StorageUnavailable):
        await prune(storage, ["values"], before)
    assert len(await keys(storage)) == 7
    assert await prune(storage, ["values"], before) == Pruned(6, 30)


class _Lingering(asyncio.SelectorEventLoop):
    """Each thread that hands something over takes its time to come back."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: list[int] = []

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> asyncio.Handle:
        self.inside.append(threading.get_ident())
        handle = super().call_soon_threadsafe(*args, **kwargs)
        time.sleep(0.1)
        self.inside.remove(threading.get_ident())
        return handle


@pytest.mark.parametrize("dry_run", [True, False])
def test_no_thread_is_still_about_it_at_the_end(tmp_path: Path, dry_run: bool) -> None:
    value = tmp_path / "storage/values/t/run/x"
    value.parent.mkdir(parents=True)
    value.write_bytes(b"12345")
    storage, soon = Storage.open(StorageSettings(data_dir=tmp_path)), datetime.now(UTC) + SOON
    with asyncio.Runner(loop_factory=_Lingering) as runner:
        loop = runner.get_loop()
        assert runner.run(prune(storage, ["values"], soon, dry_run=dry_run)) == Pruned(1, 5)
    # Or it would come back to an interpreter that ends, and abort it.
    assert isinstance(loop, _Lingering)
    assert loop.inside == []
    assert value.exists() == dry_run
