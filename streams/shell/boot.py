"""Tells whether the machine has gone down while files were being written.

What a process has written outlives the process, but not the machine: after a power cut any part of what was
not synced may be missing, in no order. A database that syncs nothing cannot tell that from a shorter past.
"""

import os
from pathlib import Path

_NAME = "open"


class OpenMark:
    """A file in a folder that is there while the folder is written to. It names the boot of its writer."""

    def __init__(self, folder: Path, boot: str) -> None:
        self._path = folder / _NAME
        self._boot = boot

    @property
    def tells_of_a_crash(self) -> bool:
        """Whether the machine went down, under a writer that had not closed the folder."""
        try:
            return bool(self._boot) and self._path.read_text() != self._boot
        except FileNotFoundError:
            return False

    def set(self) -> None:
        """Before the first write: returns when it is there, whatever happens to the machine."""
        with self._path.open("w") as file:
            file.write(self._boot)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def clear(self) -> None:
        """All that was written is on the disk. Idempotent."""
        self._path.unlink(missing_ok=True)
