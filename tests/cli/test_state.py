"""What `hopline up` finds in its directory, whatever has ended the one before."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.errors import CommandFailed
from cli.state import api_key, locked, secret_key, worker_locked


@pytest.mark.parametrize("remembered", [api_key, secret_key])
def test_keys_stay(tmp_path: Path, remembered: Callable[[Path], str]) -> None:
    first = remembered(tmp_path)
    assert len(first) > 30
    assert remembered(tmp_path) == first
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_a_crash_has_left_aside_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "secret-key.new").write_text("hal")
    assert len(secret_key(tmp_path)) > 30


@pytest.mark.parametrize("content", [b"", b"\n", bytes(44)])
def test_a_key_that_is_gone_is_not_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret-key").write_bytes(content)
    with pytest.raises(CommandFailed, match="secret-key is empty: put the key back from a backup"):
        secret_key(tmp_path)


def test_the_lock_of_a_dead_process_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_text("4194304")
    with locked(tmp_path):
        assert (tmp_path / "up.lock").read_text() == str(os.getpid())


def test_the_lock_of_a_living_one_names_it(tmp_path: Path) -> None:
    with (tmp_path / "up.lock").open("a+") as held:
        held.write("17")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CommandFailed, match="process 17"), locked(tmp_path):
            pass


def test_of_two_workers_with_the_same_id_the_second_is_refused(tmp_path: Path) -> None:
    with worker_locked(tmp_path, "w1"), worker_locked(tmp_path, "w2"):
        wanted = f"another worker here has the id w1 .process {os.getpid()}.: .* HOPLINE_WORKER_ID"
        with pytest.raises(CommandFailed, match=wanted), worker_locked(tmp_path, "w1"):
            pass
    with worker_locked(tmp_path, "w1"):
        pass
