"""The bytes of a segment of the spool: records one behind the other, each with its length and checksum.

What is damaged is passed over, so that the records behind it are found: a disk that has lost one sector must
not cost all events that follow.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from transport.producer import Send

_FRAME = struct.Struct(">II")
"""Length and CRC-32 of the record behind it."""
_HEAD = struct.Struct(">II")
"""Within a record: length of the JSON with topic, key and headers, and whether there is a value, which is the
rest."""
_BEGINS = re.compile(rb'\x00\x00\x00[\x00\x01]\["')
"""What every record has behind its first `_BEFORE` bytes; text that is JSON has no NUL."""
_BEFORE = _FRAME.size + _HEAD.size - 4


class Found(NamedTuple):
    """A whole record, and where in its segment it is."""

    send: Send
    begin: int
    end: int


def encode(send: Send) -> bytes:
    """One record with its frame."""
    key = None if send.key is None else send.key.hex()
    head = orjson.dumps([send.topic, key, [(name, value.hex()) for name, value in send.headers]])
    record = _HEAD.pack(len(head), send.value is not None) + head + (send.value or b"")
    return _FRAME.pack(len(record), zlib.crc32(record)) + record


def records(path: Path, start: int) -> Iterator[Found]:
    """Each whole record from `start` on, in order. A gap between two of them is damaged."""
    with path.open("rb") as file:
        found = _at(file, start) or _behind_damage(file, start)
        while found is not None:
            yield found
            found = _at(file, found.end) or _behind_damage(file, found.end)


def _at(file: BinaryIO, begin: int) -> Found | None:
    """The record that begins there, None if there is none that is whole."""
    file.seek(begin)
    frame = file.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    length, crc = _FRAME.unpack(frame)
    record = file.read(length)
    # The checksum of nothing is 0: zeros, as a power cut leaves them, would be a record without a byte.
    if not _HEAD.size <= length == len(record) or zlib.crc32(record) != crc:
        return None
    return Found(_send(record), begin, begin + _FRAME.size + length)


def _behind_damage(file: BinaryIO, begin: int) -> Found | None:
    """The next record that is whole."""
    file.seek(begin)
    rest = file.read()
    if len(rest) < _FRAME.size:
        return None
    length, _ = _FRAME.unpack_from(rest)
    # First where its length says, so that nothing within a damaged value is ever taken for a record.
    if found := _at(file, begin + _FRAME.size + length):
        return found
    for match in _BEGINS.finditer(rest):
        if (at := match.start() - _BEFORE) > 0 and (found := _at(file, begin + at)):
            return found
    return None


def _send(record: bytes) -> Send:
    length, has_value = _HEAD.unpack_from(record)
    topic, key, headers = orjson.loads(record[_HEAD.size : _HEAD.size + length])
    value = record[_HEAD.size + length :] if has_value else None
    decoded = tuple((name, bytes.fromhex(one)) for name, one in headers)
    return Send(topic, None if key is None else bytes.fromhex(key), value, decoded)
