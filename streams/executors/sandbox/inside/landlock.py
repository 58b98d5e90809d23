"""Landlock: a process gives up, for good, all files but some, TCP, and signals to the outside.

Works without any privilege on Linux 5.13 and newer; later versions of its interface cover more.
Source: Documentation/userspace-api/landlock.rst of the kernel.
"""

import ctypes
import os
import struct
from collections.abc import Iterable

from streams.executors.sandbox.inside import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_QUERY, _RULE_PATH_BENEATH, _RULE_PORT = 1, 1, 2

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _MAKE_FIFO, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 10, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14

_READ = _READ_FILE | _READ_DIR
_OWN = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_FIFO | _MAKE_SYM
_OWN |= _REFER | _TRUNCATE
_ON_FILES = _READ_FILE | _WRITE_FILE | _TRUNCATE

_BIND_AND_CONNECT_TCP, _CONNECT_TCP = 3, 2
_ABSTRACT_SOCKETS_AND_SIGNALS = 3


def version() -> int:
    """Of the kernel's interface; 0 where there is no Landlock."""
    try:
        return kernel.syscall("landlock", _CREATE_RULESET, None, 0, _VERSION_QUERY)
    except OSError:
        return 0


class Rules:
    """The readable part of a ruleset, prepared once so that each process only has to hand it over."""

    def __init__(self, readable: Iterable[str], port: int | None, version: int) -> None:
        """Opens each path, and keeps it open. Raises `OSError`. `port`: the one to connect to by TCP."""
        self._version = version
        self._port = port
        self._handled = _handled_file_rights(version)
        self._readable = [_rule(path, _READ & self._handled) for path in readable]

    def restrict(self, own: str) -> None:
        """Leaves this process the readable paths and the port, and `own` for all but executing; for good.

        Needs no-new-privileges. Raises `OSError`, and the process is then as free as before.
        """
        ruleset = _create_ruleset(self._handled, self._version)
        for rule in (*self._readable, _rule(own, _OWN & self._handled)):
            kernel.syscall("landlock_add_rule", _ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        if self._port is not None and self._version >= 4:
            port = ctypes.create_string_buffer(struct.pack("=QQ", _CONNECT_TCP, self._port), 16)
            kernel.syscall("landlock_add_rule", _ADD_RULE, ruleset, _RULE_PORT, port, 0)
        kernel.syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, 0)


def _handled_file_rights(version: int) -> int:
    """Every right the kernel knows, so that what is not allowed is refused (1.13, 2.14, 3.15, 5.16 bits)."""
    bits = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    return (1 << bits) - 1


def _create_ruleset(handled: int, version: int) -> int:
    attributes = struct.pack("=Q", handled)
    if version >= 4:
        attributes += struct.pack("=Q", _BIND_AND_CONNECT_TCP)
    if version >= 6:
        attributes += struct.pack("=Q", _ABSTRACT_SOCKETS_AND_SIGNALS)
    return kernel.syscall("landlock_create_ruleset", _CREATE_RULESET, attributes, len(attributes), 0)


def _rule(path: str, rights: int) -> "ctypes.Array[ctypes.c_char]":
    """struct landlock_path_beneath_attr. Its descriptor stays open: the caller's processes close it."""
    if not os.path.isdir(path):
        rights &= _ON_FILES
    return ctypes.create_string_buffer(
        struct.pack("=Qi", rights, os.open(path, os.O_PATH | os.O_CLOEXEC)), 12
    )
