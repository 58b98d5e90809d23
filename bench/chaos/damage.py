"""What the machine leaves of files that were being written when it lost its power. Blocking, by chance."""

import os
import random
import struct
from collections.abc import Sequence
from pathlib import Path

_TAIL_BYTES = 4096
"""Of a log that was being written, what may not have reached the disk."""
_FRAME = struct.Struct(">II")
"""Before each record of a spool: its length and its CRC-32."""
_SEGMENT_NAME = "{:012d}.spool"


def power_loss_of_stores(folder: Path, chance: random.Random) -> str:
    """Under `folder`, tables of a worker that has been killed: any file may have lost its end, or more.

    RocksDB was told to sync nothing, so a later write may be there where an earlier one is missing. The mark
    of an open table is of another boot then, as it would be after a start of the machine.
    """
    tables = [mark.parent for mark in folder.rglob("open") if mark.is_file()]
    for table in tables:
        (table / "open").write_text("the boot before this one")
    cut = [path for table in tables for path in _files(table) if chance.random() < 0.3]
    for path in cut:
        _lose_end(path, chance)
    return f"power loss, {len(cut)} files of {len(tables)} open tables have lost their end"


def damage_of_store(folder: Path, chance: random.Random) -> str:
    """A disk that returns less than was written, without a restart of the machine: in one partition."""
    stores = sorted(path.parent for path in folder.rglob("CURRENT"))
    if not stores:
        return "no table to damage yet"
    store = chance.choice(stores)
    damaged = chance.choice([*sorted(store.glob("*.sst")), store / "CURRENT"])
    os.truncate(damaged, damaged.stat().st_size // 2)
    return f"half of {damaged.relative_to(folder)} is gone"


def torn_record(spool: Path, chance: random.Random) -> str:
    """Behind the last record of a spool comes what was written of one that nobody had been told of.

    Its end is missing, or holds zeros: a file can grow before its content is there. So may the file that
    says how far it has been sent, which is not synced either.
    """
    segments = sorted(spool.glob("*.spool"))
    number = int(segments[-1].stem) if segments else 1
    path = spool / _SEGMENT_NAME.format(number)
    record = _first_record(segments) or _FRAME.pack(600, 1) + chance.randbytes(600)
    kept = chance.randrange(1, len(record))
    zeros = chance.choice((0, len(record) - kept))
    with path.open("ab") as file:
        file.write(record[:kept] + bytes(zeros))
    position = spool / "position"
    if position.exists() and chance.random() < 0.5:
        os.truncate(position, 0)
    return f"{len(segments)} segments in the spool, and {kept} bytes of a torn record behind them"


def _files(table: Path) -> list[Path]:
    return sorted(path for path in table.rglob("*") if path.is_file() and path.name not in ("open", "LOCK"))


def _lose_end(path: Path, chance: random.Random) -> None:
    size = path.stat().st_size
    lost = min(size, chance.choice((chance.randint(1, _TAIL_BYTES), size // 2, size)))
    os.truncate(path, size - lost)
    if chance.random() < 0.3:
        os.truncate(path, size)  # The length had reached the disk: zeros.


def _first_record(segments: Sequence[Path]) -> bytes:
    for path in segments:
        content = path.read_bytes()
        if len(content) >= _FRAME.size:
            length, _ = _FRAME.unpack_from(content)
            return content[: _FRAME.size + length]
    return b""
