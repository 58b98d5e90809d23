"""Enters the namespaces that all sandboxed processes of a zygote share, and gives each its own PIDs."""

import fcntl
import os
import socket
import struct

from streams.executors.sandbox.inside import kernel
from streams.executors.sandbox.inside.spec import NOBODY, Plan

_SHARED = kernel.CLONE_NEWNET | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
_CAP_SYS_ADMIN = 21
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40
_BACKLOG = 1024


def enter(plan: Plan) -> None:
    """Leaves the host's network, processes and (for `full`) mounts. The PID namespace holds the
    children of the caller, which therefore has to fork next. Raises `OSError` where it is not allowed."""
    if plan == "none":
        return
    flags = _SHARED | (kernel.CLONE_NEWNS if plan == "full" else 0)
    if _may_administer() and can_become_nobody():
        kernel.unshare(flags)
    else:
        uid, gid = os.getuid(), os.getgid()
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        _map_to_nobody(uid, gid)
    socket.sethostname("sandbox")


def listen_on_loopback(port: int) -> socket.socket:
    """Brings up the loopback device of this network namespace, which has no other, and listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
    return socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)


def can_become_nobody() -> bool:
    """Whether this process is root where there are other users: a rootless container may know only root.

    To be asked while there is a /proc.
    """
    return os.geteuid() == 0 and all(
        _is_mapped(NOBODY, f"/proc/self/{name}") for name in ("uid_map", "gid_map")
    )


def _is_mapped(number: int, path: str) -> bool:
    with open(path) as lines:
        ranges = [[int(field) for field in line.split()] for line in lines]
    return any(first <= number < first + count for first, _, count in ranges)


def _may_administer() -> bool:
    """Whether this process holds CAP_SYS_ADMIN; without it only a user namespace gives it, inside."""
    with open("/proc/self/status") as status:
        effective = next(line for line in status if line.startswith("CapEff:")).split()[1]
    return bool(int(effective, 16) >> _CAP_SYS_ADMIN & 1)


def _map_to_nobody(uid: int, gid: int) -> None:
    # Without CAP_SETGID outside, the kernel takes a group map only once setgroups is given up.
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {uid} 1"),
        ("gid_map", f"{NOBODY} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


class ChildPids:
    """Forks children that are each the first process of a PID namespace of their own.

    The kernel then kills whatever such a child has started when it ends, however it was detached.
    """

    def __init__(self) -> None:
        # Kept because one process may set the namespace of its children only from its own (unshare(2)).
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def fork(self) -> int:
        """As `os.fork`."""
        kernel.setns(self._own, kernel.CLONE_NEWPID)
        kernel.unshare(kernel.CLONE_NEWPID)
        return os.fork()
