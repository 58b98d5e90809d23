"""Imports once, in the zygote, what scripts commonly import, so that forks find it in memory.

PreloadFailed  what the operator wants preloaded cannot be: the sandbox does not start
"""

import importlib
import os
import stat
import sys
from collections.abc import Iterable

from streams.executors.sandbox.inside.status import Status

_MODULES = """
    abc base64 binascii bisect calendar cmath collections collections.abc contextlib copy csv dataclasses
    datetime decimal difflib enum fractions functools hashlib heapq hmac html html.parser io itertools json
    locale math operator random re secrets statistics string struct textwrap time traceback types typing
    unicodedata urllib.parse uuid xml.etree.ElementTree zlib
"""


class PreloadFailed(Exception):
    """The text names the module and the setting."""


def warm_up() -> None:
    """A module that this Python was built without is left out; the script that wants it will say so."""
    for name in _MODULES.split():
        try:
            importlib.import_module(name)
        except ImportError:
            continue


def import_packages(modules: Iterable[str], status: Status) -> None:
    """To be called once this process is in its namespaces, since the packages are no code of ours.

    Raises `PreloadFailed`, also for a module that starts threads: a process that has some cannot be forked.
    """
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise PreloadFailed(f"HOPLINE_SANDBOX_PRELOAD: importing {name!r} fails: {error!r}") from error
        if status.threads() > 1:
            raise PreloadFailed(f"HOPLINE_SANDBOX_PRELOAD: {name!r} starts threads when it is imported")


def reach_library_as_nobody() -> tuple[int, ...]:
    """Keeps the standard library importable after root has become nobody.

    A Python below a closed folder (/root/.pyenv, /root/.local/share/uv) is then out of reach by path,
    yet not through a descriptor opened before. Returns the descriptors that must stay open.
    """
    kept = []
    for index, entry in enumerate(sys.path):
        if os.path.isdir(entry) and not _open_to_all(entry):
            fd = os.open(entry, os.O_RDONLY | os.O_DIRECTORY)
            sys.path[index] = f"/proc/self/fd/{fd}"
            _move_packages(entry, sys.path[index])
            kept.append(fd)
    return tuple(kept)


def _move_packages(folder: str, to: str) -> None:
    """Lets packages that are already imported find their submodules there."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__path__", None)
        if isinstance(path, list):
            path[:] = [to + entry.removeprefix(folder) if _below(entry, folder) else entry for entry in path]


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _open_to_all(path: str) -> bool:
    parts = os.path.realpath(path).split("/")
    parents = ("/".join(parts[:depth]) or "/" for depth in range(1, len(parts) + 1))
    return all(os.stat(parent).st_mode & stat.S_IXOTH for parent in parents)
