"""The data directory of `hopline up`: its lock and its two keys."""

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
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = (data_dir / "up.lock").open("a+")
    except OSError as refused:
        raise CommandFailed(
            f"cannot write to {data_dir}: {refused.strerror}. Choose another place with --data-dir"
        ) from refused
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            file.seek(0)
            raise CommandFailed(
                f"{data_dir} is in use by another hopline up (process {file.read().strip() or 'unknown'}): "
                "stop that one, or choose another --data-dir"
            ) from taken
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield data_dir


def api_key(data_dir: Path) -> str:
    """The development key of the control plane, the same at every start."""
    return _remembered(data_dir / "api-key", lambda: f"hl_{secrets.token_urlsafe(24)}")


def secret_key(data_dir: Path) -> str:
    """The master key of secrets at rest, in base64, the same at every start."""
    return _remembered(
        data_dir / "secret-key", lambda: base64.b64encode(secrets.token_bytes(_SECRET_KEY_BYTES)).decode()
    )


def _remembered(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        # Written aside and renamed, so that a crash leaves no half of a key behind.
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(make())
        fresh.replace(path)
    return path.read_text().strip()
