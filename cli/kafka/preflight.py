"""What would keep a broker from starting, found out before it is tried."""

import errno
import fcntl
import shutil
import socket
from pathlib import Path

from cli.errors import BrokerProblem

_NEEDED_BYTES = 256 * 1024 * 1024


def check_home(home: Path) -> None:
    """Creates the broker's directory. Raises `BrokerProblem` unless it can be written and has room."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / "probe").write_bytes(b"x" * 4096)
        (home / "probe").unlink()
        free = shutil.disk_usage(home).free
    except OSError as error:
        raise not_writable(home, error) from error
    if free < _NEEDED_BYTES:
        raise disk_full(home)


def check_lock(log_dir: Path) -> None:
    """Raises `BrokerProblem` when a living process holds Kafka's lock; the file alone means nothing.

    Kafka takes the lock with fcntl(2), so the system releases it with the process.
    """
    try:
        with (log_dir / ".lock").open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except (BlockingIOError, PermissionError) as error:
        raise data_in_use(log_dir.parent) from error


def check_port(port: int) -> None:
    """Raises `BrokerProblem` when something listens on 127.0.0.1 at this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise BrokerProblem(f"port {port} is not allowed here: choose one above 1023") from error
        except OSError as error:
            raise port_taken(port) from error


def free_port() -> int:
    """A port that nothing used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_taken(port: int) -> BrokerProblem:
    """Something else listens where the broker should."""
    return BrokerProblem(
        f"port {port} is taken: stop what uses it, choose another with --port, "
        f"or, if it is a Kafka, use it with HOPLINE_KAFKA=127.0.0.1:{port}"
    )


def data_in_use(home: Path) -> BrokerProblem:
    """Another living broker has this directory."""
    return BrokerProblem(f"{home} is in use by another running broker: stop it, or choose another --data-dir")


def not_writable(home: Path, error: OSError) -> BrokerProblem:
    """The directory can't be created or written."""
    if error.errno == errno.ENOSPC:
        return disk_full(home)
    return BrokerProblem(
        f"cannot write to {home} ({error.strerror}): make it writable, or choose another --data-dir"
    )


def disk_full(home: Path) -> BrokerProblem:
    """There is no room for messages."""
    return BrokerProblem(
        f"the disk of {home} is full (the broker wants {_NEEDED_BYTES // 2**20} MiB): make room, "
        "or choose another --data-dir"
    )
