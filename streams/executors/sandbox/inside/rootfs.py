"""The file system of sandboxed processes: read-only system libraries and a private /tmp."""

import os
from collections.abc import Iterable

from streams.executors.sandbox.inside import kernel
from streams.executors.sandbox.inside.readable import device_paths, library_links, readable_paths
from streams.executors.sandbox.inside.spec import NOBODY

TEMP_FOLDER = "/tmp"  # noqa: S108 - the mount point inside the sandbox

PACKAGES = "/packages"
"""Where scripts find what the operator has installed for them: its own path may be one that we mount over."""

# Exists on every Linux and holds no interpreter, so mounting over it hides nothing we still need.
_BUILD_AT = "/proc"
_SEALED = kernel.MS_RDONLY | kernel.MS_NOSUID


def change_root(packages: str, readable: Iterable[str]) -> None:
    """Replaces the root of this mount namespace. Raises `OSError`; then nothing may run in it.

    `packages`: a folder to be found at `PACKAGES`, or empty; `readable`: files besides the libraries.
    """
    folders, devices, links = readable_paths(readable), device_paths(), library_links()
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", _BUILD_AT, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for path in folders:
        _bind(path, path, _SEALED | kernel.MS_NODEV)
    if packages:
        _bind(packages, PACKAGES, _SEALED | kernel.MS_NODEV)
    for path in devices:
        _bind(path, path, kernel.MS_NOSUID)
    for path, target in links.items():
        _link(path, target)
    os.makedirs(_BUILD_AT + TEMP_FOLDER, exist_ok=True)
    kernel.pivot_into(_BUILD_AT)
    kernel.make_mount_read_only("/", recursive=False, flags=_SEALED | kernel.MS_NODEV)


def mount_private_temp(size_bytes: int) -> None:
    """Gives the calling process a /tmp that vanishes with it, bounded in bytes and in files."""
    kernel.unshare(kernel.CLONE_NEWNS)
    options = f"size={size_bytes},nr_inodes=4096,mode=700,uid={NOBODY},gid={NOBODY}"
    kernel.mount(
        "tmpfs", TEMP_FOLDER, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, options
    )


def _bind(path: str, at: str, flags: int) -> None:
    target = _BUILD_AT + at
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(path, target, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.make_mount_read_only(target, flags=flags)


def _link(path: str, target: str) -> None:
    os.makedirs(os.path.dirname(_BUILD_AT + path), exist_ok=True)
    if not os.path.lexists(_BUILD_AT + path):
        os.symlink(target, _BUILD_AT + path)
