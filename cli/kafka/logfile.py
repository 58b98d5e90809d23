"""The broker's log file: kept from growing for ever, read from where the last start began."""

from pathlib import Path

_ROTATE_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 256 * 1024


def rotate(path: Path) -> int:
    """Moves a large log aside (`kafka.log.1`, one is kept); returns the offset where new lines begin."""
    if not path.exists():
        return 0
    if (size := path.stat().st_size) < _ROTATE_BYTES:
        return size
    path.replace(path.with_name(path.name + ".1"))
    return 0


def lines_since(path: Path, start: int) -> list[str]:
    """What was logged after the offset, at most the last 256 KiB of it; empty without a file."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(start, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()
