"""The Linux calls that Python 3.11 does not offer, through ctypes. Each raises `OSError` on failure."""

import ctypes
import os
import platform

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 4, 22
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38

MACHINE = platform.machine()

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
# The same number on every architecture, as for all calls added since Linux 5.1.
_MOUNT_SETATTR = 442
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")
    return result


def syscall(call: str, number: int, *arguments: object) -> int:
    """A raw system call; integers are passed as longs. `call` names it in the error."""
    longs = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(int(_libc.syscall(ctypes.c_long(number), *longs)), call)


def unshare(flags: int) -> None:
    """Moves this process (for the PID namespace: its future children) into new namespaces."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(namespace_fd: int, kind: int) -> None:
    """Joins the namespace behind the descriptor."""
    _checked(_libc.setns(ctypes.c_int(namespace_fd), ctypes.c_int(kind)), "setns")


def prctl(option: int, *arguments: object) -> None:
    """Up to four further arguments; the rest are zero, as the kernel demands for some options."""
    longs = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments]
    longs += [ctypes.c_ulong(0)] * (4 - len(longs))
    _checked(_libc.prctl(ctypes.c_int(option), *longs), "prctl")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    filesystem = kind.encode() if kind else None
    result = _libc.mount(
        source.encode(), target.encode(), filesystem, ctypes.c_ulong(flags), options.encode()
    )
    _checked(result, f"mount {target}")


def make_mount_read_only(target: str, *, recursive: bool = True, flags: int) -> None:
    """mount_setattr(2), Linux 5.12: unlike a remount it also reaches the mounts below the target."""
    # struct mount_attr: set, clear, propagation, user namespace; the low flags equal the MS_ ones.
    attributes = (ctypes.c_uint64 * 4)(flags, 0, 0, 0)
    where = AT_RECURSIVE if recursive else 0
    syscall("mount_setattr", _MOUNT_SETATTR, AT_FDCWD, target.encode(), where, ctypes.byref(attributes), 32)


def pivot_into(new_root: str) -> None:
    """Makes the mount at `new_root` the root of this mount namespace and drops the old one."""
    os.chdir(new_root)
    # The old root is stacked over the new one and detached from there (pivot_root(2), NOTES).
    syscall("pivot_root", _PIVOT_ROOT[MACHINE], b".", b".")
    _checked(_libc.umount2(b".", ctypes.c_int(MNT_DETACH)), "umount2")
    os.chdir("/")


def drop_capabilities() -> None:
    """Empties the effective, permitted and inheritable sets."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())), "capset")
