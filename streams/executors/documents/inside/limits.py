"""What one document may cost, and how a process binds itself to that."""

import ctypes
import fcntl
import os
import resource
import select
import signal
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_OPEN_FILES = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Sent to the server as JSON when it starts."""

    timeout_s: float
    """Of the clock; the processor's time is bounded by the same."""
    memory_bytes: int
    """Address space of the process."""
    unpacked_bytes: int
    """Of the files in an archive."""
    text_bytes: int
    """Of the text, in UTF-8."""


def apply(limits: Limits) -> None:
    """For good: nothing in this process can raise them, write a file or start a program with more rights.

    The kernel's own action for SIGALRM ends the process, so that a parser that hangs in C ends as well.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.timeout_s)
    cpu_s = int(limits.timeout_s) + 1
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        _, ceiling = resource.getrlimit(kind)
        wanted = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
        resource.setrlimit(kind, (wanted, wanted))
    call_prctl(_PR_SET_NO_NEW_PRIVS, 1)


def end_with_parent(parent: int) -> None:
    """Lets the kernel kill this process when the one that forked it ends."""
    call_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it had ended before we asked


def end_with_peer(connection: int) -> None:
    """Lets the kernel end this process when whoever asked for the document closes the connection: it is
    wanted no more, and a parser in C would look at nothing for as long as it takes.

    Only while nothing is read from the connection nor written to it: both tell of themselves by the same
    signal.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(connection, fcntl.F_GETFL)
    fcntl.fcntl(connection, fcntl.F_SETFL, flags | os.O_ASYNC)
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    if poll.poll(0):
        os._exit(0)  # it was closed before we asked


def stay_with_peer(connection: int) -> None:
    """Takes `end_with_peer` back."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    flags = fcntl.fcntl(connection, fcntl.F_GETFL)
    fcntl.fcntl(connection, fcntl.F_SETFL, flags & ~os.O_ASYNC)


def call_prctl(option: int, value: int) -> None:
    """Raises `OSError`."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
