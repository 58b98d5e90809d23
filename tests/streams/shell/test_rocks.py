"""Stores on a disk that has lost something: found out, and never gone on with."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.shell.errors import StoreDamaged, StoreUnusable
from streams.shell.rocks import RocksRows
from streams.shell.rows import Epoch, Mark

ROWS = 600
BEFORE, AFTER = "the boot before", "this boot"

# Two tables on the disk and the rest in the write-ahead log, of a process that is killed.
_WRITER = """
import os, sys
from pathlib import Path
from streams.shell.rocks import RocksRows
from streams.shell.rows import Epoch, Mark
rows = RocksRows(Path(sys.argv[1]), sys.argv[2])
rows.open(0)
for n in range(int(sys.argv[3])):
    rows.apply(0, [(f"k{n:04}", os.urandom(60)), (f"r/{n:04}", b"part")], Mark(n, Epoch(0, 1)))
    if n in (200, 400):
        rows._dbs[0].flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a killed process has left."""
    folder = tmp_path_factory.mktemp("rocks") / "table"
    argv = [sys.executable, "-c", _WRITER, str(folder), BEFORE, str(ROWS)]
    subprocess.run(argv, check=True, cwd=Path(__file__).parents[3])
    return folder


@pytest.fixture
def folder(killed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(killed, tmp_path / "table"))


def newest(folder: Path, pattern: str) -> Path:
    return max((folder / "0").glob(pattern))


def cut(pattern: str, keep: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = newest(folder, pattern)
        os.truncate(file, int(file.stat().st_size * keep))

    return change


def flip(pattern: str, at: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = newest(folder, pattern)
        content = bytearray(file.read_bytes())
        content[at] ^= 0xFF
        file.write_bytes(content)

    return change


def zero_half_of_the_log(folder: Path) -> None:
    log = newest(folder, "*.log")
    size = log.stat().st_size
    os.truncate(log, size // 2)
    os.truncate(log, size)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "log cut": cut("*.log", 0.9),
    "log empty": cut("*.log", 0),
    "log zeros": zero_half_of_the_log,
    "log bit": flip("*.log", 3000),
    "log gone": lambda folder: newest(folder, "*.log").unlink(),
    "table cut": cut("*.sst", 0.5),
    "table empty": cut("*.sst", 0),
    "table gone": lambda folder: newest(folder, "*.sst").unlink(),
    "manifest empty": cut("MANIFEST-*", 0),
    "manifest gone": lambda folder: newest(folder, "MANIFEST-*").unlink(),
    "current empty": cut("CURRENT", 0),
    "current gone": lambda folder: newest(folder, "CURRENT").unlink(),
    "current wrong": lambda folder: newest(folder, "CURRENT").write_text("MANIFEST-999999\n"),
    "all empty": lambda folder: [file.write_bytes(b"") for file in (folder / "0").iterdir()],
    "mark of a newer release": lambda folder: _write_mark(folder, b"9 1.2 3"),
}

ONLY_AFTER_A_BOOT = {
    "manifest cut": cut("MANIFEST-*", 0.7),
    "table bit": flip("*.sst", 200),
}


def _write_mark(folder: Path, mark: bytes) -> None:
    rows = RocksRows(folder, BEFORE)
    rows.open(0)
    rows._dbs[0][b"\x00mark"] = mark
    rows.close(0)


def whole(rows: RocksRows) -> int:
    """How many rows there are: the first that were written, and no hole among them."""
    mark = rows.open(0)
    there = dict(rows.items(0))
    count = mark.offset + 1 if mark else 0
    assert set(there) == {f"{kind}{n:04}" for n in range(count) for kind in ("k", "r/")}
    assert list(rows.under(0, "r/")) == [f"r/{n:04}" for n in range(count)]
    return count


def goes_on(rows: RocksRows, count: int) -> None:
    """Writes what is missing, as a recovery does; a next start finds all of it."""
    for n in range(count, ROWS):
        rows.apply(0, [(f"k{n:04}", b""), (f"r/{n:04}", b"")], Mark(n, Epoch(0, 2)))
    assert whole(rows) == ROWS
    rows.close(0)


@pytest.mark.parametrize("what", DAMAGE)
def test_rows_are_whole_or_read_again(folder: Path, what: str) -> None:
    """Of one boot: what the process had written is there, or the disk has lost it."""
    DAMAGE[what](folder)
    rows = RocksRows(folder, BEFORE)
    count = whole(rows)
    assert what != "nothing" or count == ROWS
    goes_on(rows, count)
    assert whole(RocksRows(folder, BEFORE)) == ROWS


@pytest.mark.parametrize("what", ["nothing", "log gone", *ONLY_AFTER_A_BOOT])
def test_a_store_that_was_open_when_the_machine_went_down_is_not_believed(folder: Path, what: str) -> None:
    """RocksDB itself would open some of these and give the rows without those in the middle."""
    (DAMAGE | ONLY_AFTER_A_BOOT)[what](folder)
    rows = RocksRows(folder, AFTER)
    assert whole(rows) == 0
    goes_on(rows, 0)


def test_a_store_that_was_closed_is_believed_after_a_boot(folder: Path) -> None:
    goes_on(RocksRows(folder, BEFORE), ROWS)
    assert whole(RocksRows(folder, AFTER)) == ROWS


def test_one_that_is_still_open_keeps_the_folder_open(folder: Path) -> None:
    rows = RocksRows(folder, BEFORE)
    for partition in (0, 1):
        rows.open(partition)
    rows.close(1)
    del rows
    assert whole(RocksRows(folder, AFTER)) == 0


def test_where_the_system_names_no_boot_rocksdb_is_believed(folder: Path) -> None:
    (folder / "open").unlink()
    assert whole(RocksRows(folder, "")) == ROWS


Use = Callable[[RocksRows], object]


@pytest.mark.parametrize(
    "use",
    [
        lambda rows: rows.get(0, "k0210"),
        lambda rows: list(rows.items(0)),
        lambda rows: list(rows.under(0, "r/")),
    ],
    ids=["get", "items", "under"],
)
def test_a_damaged_block_is_found_when_it_is_read_and_the_next_start_has_none(folder: Path, use: Use) -> None:
    """An iterator of RocksDB's ends there without a word."""
    for table in (folder / "0").glob("*.sst"):
        content = bytearray(table.read_bytes())
        for at in range(100, len(content) - 1500, 50):
            content[at] ^= 0xFF
        table.write_bytes(content)
    rows = RocksRows(folder, BEFORE)
    assert rows.open(0) is not None
    with pytest.raises(StoreDamaged, match="is damaged"):
        use(rows)
    del rows
    again = RocksRows(folder, BEFORE)
    assert whole(again) == 0
    goes_on(again, 0)
    assert whole(RocksRows(folder, BEFORE)) == ROWS


@pytest.fixture
def held(folder: Path) -> Iterator[RocksRows]:
    rows = RocksRows(folder, BEFORE)
    rows.open(0)
    yield rows
    rows.close(0)


def test_the_store_of_another_worker_is_left_alone(folder: Path, held: RocksRows) -> None:
    other = RocksRows(folder, BEFORE)
    with pytest.raises(StoreUnusable, match="LOCK"):
        other.open(0)
    assert whole(held) == ROWS


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written_is_left_alone(folder: Path) -> None:
    (folder / "0").chmod(0o500)
    try:
        with pytest.raises(StoreUnusable, match="Permission denied"):
            RocksRows(folder, BEFORE).open(0)
    finally:
        (folder / "0").chmod(0o700)
    assert whole(RocksRows(folder, BEFORE)) == ROWS


def test_what_a_broken_off_removal_has_left_goes(folder: Path) -> None:
    (folder / "0").rename(folder / "0.gone")
    rows = RocksRows(folder, BEFORE)
    assert not (folder / "0.gone").exists()
    assert whole(rows) == 0
