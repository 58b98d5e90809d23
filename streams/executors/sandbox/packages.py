"""The packages that scripts in Python may import, in a folder of their own: not among those of this program.

A folder holds one set of requirements for one Python and is named after both. It is filled next to its place
and moved there when complete, so what is there is whole, and a restart needs no network.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streams.executors.sandbox.errors import PackagesUnavailable

logger = logging.getLogger(__name__)

REQUESTED = "requested.txt"
"""In each folder: the requirements that it was made from, one a line."""

_PIP = (sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet")
_MAX_COMPLAINTS = 3


def folder_of(requirements: Sequence[str], data_dir: Path) -> Path:
    """Where these are, or would be, installed for the Python that is running."""
    identity = "\n".join([sys.implementation.cache_tag or "", os.uname().machine, *sorted(requirements)])
    return data_dir.absolute() / "sandbox" / hashlib.sha256(identity.encode()).hexdigest()[:16]


def ensure_installed(requirements: Sequence[str], data_dir: Path) -> Path | None:
    """The folder with them, filled now if it is not there; None for no requirements.

    Blocks, for as long as pip takes. Raises `PackagesUnavailable`, which says what pip said.
    """
    if not requirements:
        return None
    folder = folder_of(requirements, data_dir)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.parent):  # or workers that start together would each install
            if not folder.is_dir():
                _fill(folder, requirements)
    except OSError as error:
        raise PackagesUnavailable(f"packages for code nodes cannot be put into {folder}: {error}") from error
    return folder


def _fill(folder: Path, requirements: Sequence[str]) -> None:
    logger.info("sandbox: installing %s", ", ".join(requirements))
    with tempfile.TemporaryDirectory(prefix="filling-", dir=folder.parent) as made:
        target = Path(made, "packages")
        _install(requirements, target)
        shutil.rmtree(target / "bin", ignore_errors=True)  # scripts start no programs
        (target / REQUESTED).write_text("".join(f"{one}\n" for one in requirements))
        _open_to_all(target)
        target.rename(folder)


def _install(requirements: Sequence[str], target: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter, and requirements that the operator has set
        [*_PIP, "--target", str(target), "--", *requirements],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackagesUnavailable(f"HOPLINE_SANDBOX_PACKAGES cannot be installed: {_complaint(done.stdout)}")


def _complaint(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return "; ".join(errors[:_MAX_COMPLAINTS] or lines[-1:]) or "pip does not say why"


def _open_to_all(folder: Path) -> None:
    """Readable by the user of sandboxed processes, whatever the umask of this one."""
    for parent, _, files in os.walk(folder):
        os.chmod(parent, 0o755)  # noqa: S103 - see above
        for name in files:
            os.chmod(os.path.join(parent, name), 0o644)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
