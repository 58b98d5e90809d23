"""What a script must be able to read so that it can import the standard library, and nothing else."""

import os
import sys
import sysconfig
from collections.abc import Iterable

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def readable_paths(more: Iterable[str]) -> list[str]:
    """These and `more`: real paths of folders and files, none of them inside another."""
    wanted = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *_LIBRARIES, *more}
    wanted |= {entry for entry in sys.path if os.path.isdir(entry)}
    wanted |= _INTERPRETER_FOLDERS
    real = sorted({os.path.realpath(path) for path in wanted if os.path.exists(path)})
    return [path for path in real if not any(_is_inside(path, other) for other in real)]


def device_paths() -> list[str]:
    """The harmless devices that exist here."""
    return [path for path in _DEVICES if os.path.exists(path)]


def library_links() -> dict[str, str]:
    """Links like /lib -> usr/lib, by which the loader and the interpreter reach the real folders."""
    return {path: os.readlink(path) for path in _LIBRARIES if os.path.islink(path)}


def _loaded_library_folders() -> set[str]:
    """Covers a Python whose libpython is elsewhere (Nix, Conda, pyenv)."""
    try:
        with open("/proc/self/maps") as maps:
            files = {line.split(maxsplit=5)[5].strip() for line in maps if ".so" in line and "/" in line}
    except OSError:
        return set()
    return {os.path.dirname(file) for file in files if os.path.isfile(file)}


# Taken when this is imported: what the zygote loads later, like the JavaScript engine, lies among packages
# that are none of a script's business.
_INTERPRETER_FOLDERS = _loaded_library_folders()


def _is_inside(path: str, folder: str) -> bool:
    return path != folder and path.startswith(folder.rstrip("/") + "/")
