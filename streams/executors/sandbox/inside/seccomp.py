"""The system call filter: what Python and a computation need is allowed, all else answers EPERM.

Assembled as classic BPF, since no binding of libseccomp can be taken for granted. The list allows
files (which ones is up to the mount namespace and Landlock), memory, time and threads. It allows no
sockets, no new processes or programs, no signals to others, no mounts, namespaces, tracing or keys.
With a network it allows TCP clients, in a network namespace where nothing listens but the proxy.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable

from streams.executors.sandbox.inside import kernel
from streams.executors.sandbox.inside.syscalls import ALLOWED, NUMBERS

_MODE_FILTER = 2
_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38

# Offsets in struct seccomp_data, little endian: the low halves of the arguments.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}

# A thread, in no new namespace; every other clone is a process.
_THREAD = 0x00010000
_CLONE_BITS = _THREAD | 0x7E020080
_TERMINAL_QUERIES = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# F_SETOWN, F_SETSIG, F_SETOWN_EX: with them a descriptor signals any process of the same user.
_OWNER_COMMANDS = (8, 10, 15)
_SOCKET_TYPE_BITS, _STREAM = 0xF, 1
_INTERNET = (2, 10)  # AF_INET, AF_INET6

Instruction = tuple[int, int, int, int]


def supported() -> bool:
    """Whether the filter knows this machine's system calls."""
    return kernel.MACHINE in _COLUMN and sys.maxsize > 2**32


# Stands for the process's own number until that is known; no real one is this large (2**22 at most).
_SELF = 0x7FFFFFFF


def assemble(*, connecting: bool) -> bytes:
    """The program, but for the PID of the process: it may signal and limit itself alone.

    `connecting`: whether it may open TCP connections.
    """
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 1, 0, _AUDIT_ARCHITECTURE[kernel.MACHINE]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for name in ALLOWED:
        program += _on(name, [(_RETURN, 0, 0, _ALLOW)])
    program += _on("clone3", [(_RETURN, 0, 0, _ERRNO | _ENOSYS)])  # libc then takes clone, whose flags we see
    program += _on("clone", _allow_if(0, [_THREAD], mask=_CLONE_BITS))
    program += _on("socketpair", _allow_if(1, [_STREAM], mask=_SOCKET_TYPE_BITS))
    program += _on("ioctl", _allow_if(1, _TERMINAL_QUERIES))
    program += _on("fcntl", _refuse_if(1, _OWNER_COMMANDS))
    program += _on("prlimit64", _allow_if(0, [0, _SELF]))
    if connecting:
        program += _on("socket", [*_unless(1, _STREAM, _SOCKET_TYPE_BITS), *_allow_if(0, _INTERNET)])
        for name in ("connect", "setsockopt", "sendmsg", "recvmsg"):
            program += _on(name, [(_RETURN, 0, 0, _ALLOW)])
    for name in ("kill", "tgkill"):
        program += _on(name, _allow_if(0, [_SELF]))
    program.append((_RETURN, 0, 0, _ERRNO | _EPERM))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def install(program: bytes) -> None:
    """Filters this process from now on; it can not be undone. Needs no-new-privileges."""
    program = program.replace(struct.pack("=I", _SELF), struct.pack("=I", os.getpid()))
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the count, padding, the pointer.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    kernel.prctl(kernel.PR_SET_SECCOMP, _MODE_FILTER, ctypes.create_string_buffer(header, len(header)))


def _on(name: str, then: list[Instruction]) -> list[Instruction]:
    number = NUMBERS[name][_COLUMN[kernel.MACHINE]]
    return [] if number is None else [(_JUMP_IF_EQUAL, 0, len(then), number), *then]


def _allow_if(argument: int, values: Iterable[int], mask: int = 0xFFFFFFFF) -> list[Instruction]:
    return _test(argument, values, mask, hit=_ALLOW, miss=_ERRNO | _EPERM)


def _unless(argument: int, value: int, mask: int) -> list[Instruction]:
    """Refuses any other value, and goes on for this one."""
    load: list[Instruction] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), (_AND, 0, 0, mask)]
    return [*load, (_JUMP_IF_EQUAL, 1, 0, value), (_RETURN, 0, 0, _ERRNO | _EPERM)]


def _refuse_if(argument: int, values: Iterable[int]) -> list[Instruction]:
    return _test(argument, values, 0xFFFFFFFF, hit=_ERRNO | _EPERM, miss=_ALLOW)


def _test(argument: int, values: Iterable[int], mask: int, *, hit: int, miss: int) -> list[Instruction]:
    steps: list[Instruction] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), (_AND, 0, 0, mask)]
    for value in values:
        steps += [(_JUMP_IF_EQUAL, 0, 1, value), (_RETURN, 0, 0, hit)]
    return [*steps, (_RETURN, 0, 0, miss)]
