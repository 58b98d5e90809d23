"""Installs what a peer needs, through the package managers of this machine, each thing once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.peers.peer import PeerUnavailable
from bench.progress import Say

_TIMEOUT_S = 900


def python_env(home: Path, requirements: Sequence[str], say: Say) -> Path:
    """A virtual environment with exactly these requirements; the path of its interpreter."""
    python = home / "venv" / "bin" / "python"
    stamp = home / "venv" / "requirements.txt"
    wanted = "\n".join(requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"installing {', '.join(requirements)}")
        run([sys.executable, "-m", "venv", "--clear", home / "venv"], home)
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], home)
        stamp.write_text(wanted)
    return python


def npm_packages(home: Path, packages: Sequence[str], say: Say) -> Path:
    """The `node_modules` with these packages (`name@version`). Raises `PeerUnavailable` without npm."""
    stamp = home / "node_modules" / ".installed"
    wanted = "\n".join(packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        if shutil.which("npm") is None:
            raise PeerUnavailable("needs npm (Node.js 18 or newer) on PATH")
        say(f"installing {', '.join(packages)}")
        run(
            ["npm", "install", "--prefix", home, "--no-fund", "--no-audit", "--loglevel=error", *packages],
            home,
        )
        stamp.write_text(wanted)
    return home / "node_modules"


def system_program(name: str, package: str, say: Say, *, beside: str = "") -> Path:
    """A program of the system, else from its Debian package if we may install one.

    `beside` is a glob of directories off PATH where the package puts it. Raises `PeerUnavailable`.
    """
    if (found := _find(name, beside)) is not None:
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise PeerUnavailable(f"needs {name}: install the package {package}")
    say(f"installing {package}")
    # RUNLEVEL keeps the package from starting a service of its own.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends", package]
    run(["apt-get", "update", "-qq"], Path.cwd(), quiet)
    run(command, Path.cwd(), quiet)
    if (found := _find(name, beside)) is None:
        raise PeerUnavailable(f"{package} is installed, but has no {name}")
    return found


def run(command: Sequence[str | Path], cwd: Path, env: dict[str, str] | None = None) -> str:
    """Standard output. Raises `PeerUnavailable` with the last line it wrote when it fails."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerUnavailable(f"{Path(command[0]).name} failed: {error}") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()
        raise PeerUnavailable(f"{Path(command[0]).name} failed: {lines[-1]}")
    return done.stdout


def _find(name: str, beside: str) -> Path | None:
    if (found := shutil.which(name)) is not None:
        return Path(found)
    return max(Path("/").glob(f"{beside.lstrip('/')}/{name}"), default=None) if beside else None
