"""The data directory: who has it, and the two keys of `hopline up`."""

import base64
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.errors import CommandFailed

_SECRET_KEY_BYTES = 32


@contextmanager
def locked(data_dir: Path) -> Iterator[Path]:
    """The directory, made if it is not there, for this process alone.

    The lock goes with the process, so that a crash leaves none behind. Raises `CommandFailed` when another
    process has it, or when the directory cannot be written.
    """

    def taken(by: str) -> str:
        return (
            f"{data_dir} is in use by another hopline up (process {by}): "
            "stop that one, or choose another --data-dir"
        )

    with _held(data_dir / "up.lock", "Choose another place with --data-dir", taken):
        yield data_dir


@contextmanager
def worker_locked(data_dir: Path, worker_id: str) -> Iterator[None]:
    """For the only worker of this id: two would take each other for a former self, and put each other out of
    the group by turns. Raises `CommandFailed` when another process on this machine has the lock, or when the
    directory cannot be written."""

    def taken(by: str) -> str:
        return (
            f"another worker here has the id {worker_id} (process {by}): "
            "stop that one, or set HOPLINE_WORKER_ID to another"
        )

    with _held(data_dir / "workers" / f"{worker_id}.lock", "Set HOPLINE_DATA_DIR to another place", taken):
        yield


@contextmanager
def _held(path: Path, not_writable: str, taken: Callable[[str], str]) -> Iterator[None]:
    """`taken`: what to say when another process has the lock, given its id."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as refused:
        raise CommandFailed(f"cannot write to {path.parent}: {refused.strerror}. {not_writable}") from refused
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as refused:
            file.seek(0)
            raise CommandFailed(taken(file.read().strip() or "unknown")) from refused
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def api_key(data_dir: Path) -> str:
    """The development key of the control plane, the same at every start."""
    return _remembered(data_dir / "api-key", lambda: f"hl_{secrets.token_urlsafe(24)}")


def secret_key(data_dir: Path) -> str:
    """The master key of secrets at rest, in base64, the same at every start."""
    return _remembered(
        data_dir / "secret-key", lambda: base64.b64encode(secrets.token_bytes(_SECRET_KEY_BYTES)).decode()
    )


def _remembered(path: Path, make: Callable[[], str]) -> str:
    """Raises `CommandFailed` for a file without a key: a new one would read nothing of what is encrypted."""
    if not path.exists():
        _write(path, make())
    key = path.read_text().strip("\x00 \r\n\t")
    if not key:
        raise CommandFailed(
            f"{path} is empty: put the key back from a backup, or remove the file for a new one "
            "(secrets that were encrypted under the old one must be entered again)"
        )
    return key


def _write(path: Path, key: str) -> None:
    """Aside, synced and renamed: neither a crash nor a power cut leaves half of a key behind."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    with fresh.open("w") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
