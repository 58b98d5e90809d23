"""Events on the disk: kept in order, found again, and bounded."""

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingress.spool import Spool, SpoolFull
from transport.producer import Send

MIB = 1024 * 1024


Open = Callable[..., Spool]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the spool of the folder; one that is closed already may be closed again."""
    spools: list[Spool] = []

    def open_(max_bytes: int = MIB) -> Spool:
        spools.append(Spool(tmp_path, max_bytes))
        return spools[-1]

    yield open_
    for spool in spools:
        spool.close()


def event(number: int, size: int = 10) -> Send:
    value = str(number).encode() + b"\x00\xff" * size
    return Send(
        "trigger.events", f"k{number}".encode(), value, (("ce_id", b"\x80"), ("n", str(number).encode()))
    )


def test_what_goes_in_comes_out_in_order_and_once(opened: Open, tmp_path: Path) -> None:
    spool = opened()
    spool.append([event(n) for n in range(5)])
    spool.append([event(5), Send("trigger.events", None, None)])
    assert spool.peek(2) == [event(0), event(1)]
    spool.sent(2)
    assert spool.peek(100) == [*(event(n) for n in range(2, 6)), Send("trigger.events", None, None)]
    assert spool.records == 5
    spool.sent(5)
    assert (spool.records, spool.size, spool.peek(10)) == (0, 0, [])
    assert list(tmp_path.glob("*.spool")) == []


def test_it_is_found_again(opened: Open, tmp_path: Path) -> None:
    spool = opened()
    spool.append([event(n) for n in range(4)])
    spool.sent(1)
    spool.close()
    again = opened()
    assert again.records == 3
    assert again.peek(10) == [event(1), event(2), event(3)]
    again.sent(3)
    again.append([event(9)])
    again.close()
    assert opened().peek(10) == [event(9)]


@pytest.mark.parametrize("cut", [1, 7, 25, 60])
def test_a_record_that_was_cut_off_goes_and_those_before_it_stay(
    opened: Open, tmp_path: Path, cut: int
) -> None:
    spool = opened()
    spool.append([event(0), event(1)])
    spool.close()
    [segment] = tmp_path.glob("*.spool")
    os.truncate(segment, segment.stat().st_size - cut)
    again = opened()
    assert again.peek(10) == [event(0)]
    again.append([event(2)])
    assert again.peek(10) == [event(0), event(2)]


def test_bytes_that_have_changed_are_no_record(opened: Open, tmp_path: Path) -> None:
    spool = opened()
    spool.append([event(0), event(1)])
    spool.close()
    [segment] = tmp_path.glob("*.spool")
    content = bytearray(segment.read_bytes())
    content[-3] ^= 1
    segment.write_bytes(content)
    assert opened().peek(10) == [event(0)]


def test_it_is_bounded_and_what_does_not_fit_is_not_half_there(opened: Open, tmp_path: Path) -> None:
    spool = opened()
    spool.append([event(0, 200_000)])
    with pytest.raises(SpoolFull, match="1048576 bytes"):
        spool.append([event(1), event(2, 400_000)])
    assert spool.peek(10) == [event(0, 200_000)]
    spool.append([event(3)])
    spool.sent(2)
    assert spool.size == 0, "there is room again"


def test_many_segments_are_read_one_after_the_other(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.spool._SEGMENT_BYTES", 100)
    spool = opened()
    for number in range(10):
        spool.append([event(number)])
    assert len(list(tmp_path.glob("*.spool"))) > 3
    spool.sent(4)
    spool.close()
    again = opened()
    assert again.peek(100) == [event(n) for n in range(4, 10)]
    again.sent(6)
    assert again.size == 0


def test_a_folder_belongs_to_one_at_a_time(opened: Open, tmp_path: Path) -> None:
    spool = opened()
    with pytest.raises(SpoolFull, match="another ingress uses the spool"):
        opened()
    spool.close()
    opened()


def test_a_disk_that_refuses_keeps_nothing(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened()
    spool.append([event(0)])

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ingress.spool.os.fsync", full)
    with pytest.raises(SpoolFull, match="No space left"):
        spool.append([event(1)])
    monkeypatch.undo()
    assert spool.peek(10) == [event(0)]


def test_a_disk_that_is_full_in_the_middle_of_a_record_leaves_nothing_torn(
    opened: Open, tmp_path: Path
) -> None:
    spool = opened(64 * MIB)
    spool.append([event(0)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * MIB, hard))
    try:
        with pytest.raises(SpoolFull, match="File too large"):
            spool.append([event(1), Send("trigger.events", b"k", b"x" * 9 * MIB)])
        [segment] = tmp_path.glob("*.spool")
        assert segment.stat().st_size == spool.size, "what was written of it is gone"
        spool.append([event(2)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    spool.close()
    assert opened(64 * MIB).peek(10) == [event(0), event(2)]


def test_what_is_sent_makes_room_also_where_nothing_can_be_written(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened()
    spool.append([event(0)])

    def full(_self: Path, _text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    spool.sent(1)
    assert (spool.records, spool.size, list(tmp_path.glob("*.spool"))) == (0, 0, [])


def test_what_is_read_at_a_time_is_bounded_by_bytes(opened: Open) -> None:
    spool = opened()
    spool.append([event(n, 100) for n in range(6)])
    assert spool.peek(100, 500) == [event(n, 100) for n in range(3)]
    assert spool.peek(100, 1) == [event(0, 100)], "one at the least"
