"""What is done to files is what a power loss does: and what stands on them still finds its way."""

import random
from pathlib import Path

import pytest

from bench.chaos.damage import damage_of_store, power_loss_of_stores, torn_record
from ingress.spool import Spool
from streams.shell.rocks import RocksRows
from streams.shell.rows import Epoch, Mark
from transport.producer import Send

MARK = Mark(1, Epoch(0, 1))
MIB = 1024 * 1024


def written(spool: Path, count: int) -> list[Send]:
    sends = [Send("trigger.events", b"k", b"value %d" % number) for number in range(count)]
    opened = Spool(spool, 64 * MIB)
    opened.append(sends)
    opened.close()
    return sends


@pytest.mark.parametrize("seed", range(8))
def test_a_spool_has_all_of_its_records_in_front_of_a_torn_one(tmp_path: Path, seed: int) -> None:
    sends = written(tmp_path, 3)
    said = torn_record(tmp_path, random.Random(seed))
    assert said.startswith("1 segments")
    again = Spool(tmp_path, 64 * MIB)
    assert again.peek(10) == sends
    again.append(sends[:1])
    assert again.peek(10) == [*sends, sends[0]]
    again.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_torn_record_may_be_the_first_one(tmp_path: Path, seed: int) -> None:
    torn_record(tmp_path, random.Random(seed))
    spool = Spool(tmp_path, 64 * MIB)
    assert spool.records == 0
    spool.close()


def killed_store(folder: Path) -> None:
    """As a process leaves it that was killed: its files are there, and it was open."""
    rows = RocksRows(folder / "runs", "this boot")
    for partition in (0, 1):
        rows.open(partition)
        rows.apply(partition, [("a", b"1" * 5_000)], MARK)
        rows.close(partition)
    (folder / "runs" / "open").write_text("this boot")


def test_nothing_is_believed_after_a_power_loss(tmp_path: Path) -> None:
    killed_store(tmp_path)
    assert "1 open tables" in power_loss_of_stores(tmp_path, random.Random(1))
    rows = RocksRows(tmp_path / "runs", "this boot")
    assert [rows.open(partition) for partition in (0, 1)] == [None, None]
    for partition in (0, 1):
        rows.close(partition)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_store_is_read_again_and_no_other(tmp_path: Path, seed: int) -> None:
    killed_store(tmp_path)
    damaged = int(damage_of_store(tmp_path, random.Random(seed)).split("/")[1])
    rows = RocksRows(tmp_path / "runs", "this boot")
    assert rows.open(damaged) is None
    assert rows.open(1 - damaged) == MARK
    for partition in (0, 1):
        rows.close(partition)
