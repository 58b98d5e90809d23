"""Imports once, in the zygote, what scripts commonly import, so that forks find it in memory."""

import importlib
import os
import stat
import sys

_MODULES = """
    abc base64 binascii bisect calendar cmath collections collections.abc contextlib copy csv dataclasses
    datetime decimal difflib enum fractions functools hashlib heapq hmac html html.parser io itertools json
    locale math operator random re secrets statistics string struct textwrap time traceback types typing
    unicodedata urllib.parse uuid xml.etree.ElementTree zlib
"""


def warm_up() -> None:
    """A module that this Python was built without is left out; the script that wants it will say so."""
    for name in _MODULES.split():
        try:
            importlib.import_module(name)
        except ImportError:
            continue


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
            kept.append(fd)
    return tuple(kept)


def _open_to_all(path: str) -> bool:
    parts = os.path.realpath(path).split("/")
    parents = ("/".join(parts[:depth]) or "/" for depth in range(1, len(parts) + 1))
    return all(os.stat(parent).st_mode & stat.S_IXOTH for parent in parents)
