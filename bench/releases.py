"""Versions of the code: the one that is here, and any that was committed, in a directory of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


class NoSuchRelease(Exception):
    """Git cannot check it out; its own words are in the message."""


@dataclass(frozen=True, slots=True)
class Release:
    """Code that processes are started from, with the libraries that are installed here."""

    name: str
    root: Path

    def argv(self, role: str) -> list[str]:
        """The command line of a role. `-P`: else the directory that it is started in comes before `env`."""
        return [sys.executable, "-P", "-m", "cli.main", role]

    @property
    def env(self) -> dict[str, str]:
        """What goes with it."""
        return {"PYTHONPATH": str(self.root)}


HERE = Release("new", ROOT)


@asynccontextmanager
async def checked_out(name: str, revision: str, directory: Path) -> AsyncIterator[Release]:
    """The release at a revision of git, in a work tree that goes afterwards. Raises `NoSuchRelease`."""
    await _git("worktree", "add", "--quiet", "--detach", str(directory), revision)
    try:
        yield Release(name, directory)
    finally:
        await _git("worktree", "remove", "--force", str(directory))


async def _git(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "git", *arguments, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, words = await process.communicate()
    if process.returncode:
        raise NoSuchRelease(words.decode().strip())
