"""What a forked process does: detach from the zygote, confine itself, run one script, end."""

import json
import os
import signal
from dataclasses import dataclass
from typing import NoReturn

from streams.executors.sandbox.inside import runner
from streams.executors.sandbox.inside.confine import Surroundings, confine
from streams.executors.sandbox.inside.frames import read_frame, write_frame
from streams.executors.sandbox.inside.javascript import JavaScript
from streams.executors.sandbox.inside.spec import Spec

_EXIT_NOT_CONFINED = 70
_MORE_THAN_A_ZYGOTE_OPENS = 1024


@dataclass(frozen=True, slots=True)
class Child:
    """What the zygote remembers of a process it has forked."""

    id: int
    temp_folder: str


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What the zygote hands to every process it forks."""

    spec: Spec
    surroundings: Surroundings
    javascript: JavaScript
    library_fds: tuple[int, ...]
    """Through which the standard library stays importable, see `preload`."""


def become_child(connection: int, output: int, inheritance: Inheritance, temp_folder: str) -> NoReturn:
    """Never returns into the zygote's code. Sends `{"layers"}` once confined, then answers one request."""
    spec = inheritance.spec
    try:
        _detach(output)
        report = confine(spec, inheritance.surroundings, temp_folder)
        _close_all_but(0, 1, 2, connection, *inheritance.library_fds)
        runner.capture_output(spec.stdout_bytes)
        write_frame(connection, json.dumps({"layers": report}).encode())
        write_frame(connection, runner.run(read_frame(connection), spec, inheritance.javascript))
        os._exit(0)
    except EOFError:
        os._exit(0)
    except BaseException as error:  # whatever it is, it must not unwind into the zygote's loop
        _complain(connection, error)
        os._exit(_EXIT_NOT_CONFINED)


def _detach(output: int) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    # The other descriptors keep their numbers, by which the confinement knows some of the zygote's.
    os.dup2(output, 1)
    os.dup2(output, 2)


def _close_all_but(*kept: int) -> None:
    first = 0
    for fd in sorted(kept):
        if first < fd:  # an empty range at 0 would close everything
            os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, _MORE_THAN_A_ZYGOTE_OPENS)


def _complain(connection: int, error: BaseException) -> None:
    try:
        write_frame(connection, json.dumps({"refused": f"{type(error).__name__}: {error}"}).encode())
    except OSError:
        return  # the worker is gone; so are we
