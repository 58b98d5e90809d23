"""What a power cut or a bad disk leaves of a spool: all records that are whole are there, in their order."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ingress.spool import Spool, SpoolFull
from ingress.spool_records import encode
from transport.producer import Send

MIB = 1024 * 1024


def event(number: int) -> Send:
    return Send("trigger.events", f"k{number}".encode(), b'{"n":%d}' % number * 20, (("id", b"\x80"),))


EVENTS = [event(number) for number in range(5)]
SIZE = len(encode(EVENTS[0]))


def write(folder: Path, change: Callable[[bytearray], object] = lambda _: None) -> Path:
    """A segment with five records of one size, and what has become of it."""
    spool = Spool(folder, MIB)
    spool.append(EVENTS)
    spool.close()
    [segment] = folder.glob("*.spool")
    content = bytearray(segment.read_bytes())
    assert len(content) == 5 * SIZE
    change(content)
    segment.write_bytes(content)
    return segment


def opened(folder: Path) -> list[Send]:
    """What is found, and then goes on: behind it follows what comes next, and nothing is left in the end."""
    spool = Spool(folder, MIB)
    try:
        found = spool.peek(100)
        assert spool.records == len(found)
        spool.append([event(9)])
        assert spool.peek(100) == [*found, event(9)]
        spool.sent(len(found) + 1)
        assert (spool.records, spool.size, spool.peek(1)) == (0, 0, [])
        return found
    finally:
        spool.close()


def put(content: bytearray, at: int, what: bytes) -> None:
    content[at : at + len(what)] = what


def says(caplog: pytest.LogCaptureFixture) -> str:
    return " ".join(r.getMessage() for r in caplog.records if r.name == "ingress.spool")


@pytest.mark.parametrize("cut", [1, SIZE - 20, SIZE - 8, SIZE - 1])
def test_the_last_record_is_torn(tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture) -> None:
    segment = write(tmp_path)
    os.truncate(segment, 5 * SIZE - cut)
    with caplog.at_level(logging.WARNING, "ingress.spool"):
        assert opened(tmp_path) == EVENTS[:4]
    assert f"{SIZE - cut} bytes at its end are no record" in says(caplog)


@pytest.mark.parametrize("zeros", [1, 8, 15, 16, 4096])
def test_a_tail_of_zeros(tmp_path: Path, zeros: int, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, lambda content: content.extend(bytes(zeros)))
    with caplog.at_level(logging.WARNING, "ingress.spool"):
        assert opened(tmp_path) == EVENTS
    assert f"{zeros} bytes at its end are no record" in says(caplog)


@pytest.mark.parametrize("at", [0, 3, 4, 8, 12, 20, SIZE - 1])
def test_a_record_in_the_middle_is_damaged(tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture) -> None:
    """Wherever it is: in its length, its checksum, its head or its value."""
    write(tmp_path, lambda content: put(content, 2 * SIZE + at, b"\x9f"))
    with caplog.at_level(logging.WARNING, "ingress.spool"):
        assert opened(tmp_path) == [*EVENTS[:2], *EVENTS[3:]]
    assert f"{SIZE} bytes at {2 * SIZE} are damaged" in says(caplog)


def test_a_lost_sector_takes_what_it_touches_and_no_more(tmp_path: Path) -> None:
    write(tmp_path, lambda content: put(content, SIZE + 30, bytes(2 * SIZE)))
    assert opened(tmp_path) == [EVENTS[0], EVENTS[4]]


def test_the_first_record_is_damaged(tmp_path: Path) -> None:
    write(tmp_path, lambda content: put(content, 0, bytes(40)))
    assert opened(tmp_path) == EVENTS[1:]


def test_nothing_within_a_damaged_value_is_a_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB)
    spool.append([Send("trigger.events", b"k", b"x" + encode(event(7)) + b"x"), event(1)])
    spool.close()
    [segment] = tmp_path.glob("*.spool")
    content = bytearray(segment.read_bytes())
    put(content, 9, b"\x01")
    segment.write_bytes(content)
    assert opened(tmp_path) == [event(1)]


@pytest.mark.parametrize("content", [b"", bytes(4096), b"\x00\x00\x00\x08"])
def test_a_segment_without_a_record(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{1:012d}.spool").write_bytes(content)
    assert opened(tmp_path) == []


def test_an_empty_segment_between_two_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.spool._SEGMENT_BYTES", 10)
    spool = Spool(tmp_path, MIB)
    for number in range(3):
        spool.append([event(number)])
    spool.close()
    os.truncate(sorted(tmp_path.glob("*.spool"))[1], 0)
    assert opened(tmp_path) == [event(0), event(2)]


@pytest.mark.parametrize("position", ["", "1", "x y", f"1 {9 * SIZE}", f"1 {2 * SIZE + 1}"])
def test_the_position_is_damaged(tmp_path: Path, position: str) -> None:
    """Where it says nothing, all is sent again: duplicates are known as such. Nothing new is passed over."""
    write(tmp_path)
    (tmp_path / "position").write_text(position)
    spool = Spool(tmp_path, MIB)
    spool.append([event(9)])
    sent = spool.peek(10)
    spool.close()
    assert sent[-1] == event(9)
    assert sent == [*EVENTS, event(9)][6 - len(sent) :]


def test_records_behind_the_cut_that_were_sent_do_not_hide_what_comes_next(tmp_path: Path) -> None:
    segment = write(tmp_path)
    spool = Spool(tmp_path, MIB)
    spool.sent(4)
    spool.close()
    os.truncate(segment, 2 * SIZE)
    assert opened(tmp_path) == []


def test_a_disk_that_takes_nothing_any_more_refuses_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that is mounted again read-only after an error."""
    spool = Spool(tmp_path, MIB)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        patched.setattr("ingress.spool.os.truncate", refuse)
        for _ in range(2):
            with pytest.raises(SpoolFull, match="Read-only"):
                spool.append([event(0)])
    spool.append([event(1)])
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", refuse)
        assert spool.peek(2) == [event(1)]
        spool.sent(1)
        assert spool.peek(2) == []
    spool.close()
