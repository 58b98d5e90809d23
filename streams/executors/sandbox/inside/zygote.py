"""The zygote: a warm interpreter that forks one confined process for each script.

Control messages (SOCK_SEQPACKET, JSON). From the worker: first a `Spec`, then `{"spawn": id}` with two
descriptors (the connection of the process, the file for what it prints) and `{"kill": id}`.
To the worker: `{"started": true}`, with the listening socket of the proxy if scripts have a network, or
`{"refused": why}`, and `{"exited": id, "signal", "code", "cpu_s"}`.
It ends, and everything it has forked with it, when the worker closes its end.
"""

import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
from typing import Any, NoReturn

from streams.executors.sandbox.inside import kernel, namespaces, preload, rootfs
from streams.executors.sandbox.inside.child import Child, Inheritance, become_child
from streams.executors.sandbox.inside.confine import Surroundings
from streams.executors.sandbox.inside.frames import read_frame
from streams.executors.sandbox.inside.javascript import JavaScript
from streams.executors.sandbox.inside.preload import PreloadFailed
from streams.executors.sandbox.inside.spec import NOBODY, PROXY_PORT, Spec
from streams.executors.sandbox.inside.status import Status

_MESSAGE_BYTES = 65_536


def main(control_fd: int) -> None:
    """Called by the bootstrap line with the control socket. Returns only when the plan is refused."""
    control = socket.socket(fileno=control_fd)
    spec = Spec(**json.loads(control.recv(_MESSAGE_BYTES)))
    os.environ.clear()  # the interpreter itself has put a locale there
    os.environ.update(spec.environment)
    preload.warm_up()
    try:
        javascript = JavaScript(spec.javascript)
        namespaces.enter(spec.plan)
        if spec.plan != "none":
            _continue_in_first_process(control)
        zygote = Zygote(control, spec, javascript)
        zygote.rehearse()
    except (OSError, ImportError, PreloadFailed) as error:
        control.send(json.dumps({"refused": str(error)}).encode())
        return
    zygote.serve()


def _continue_in_first_process(control: socket.socket) -> None:
    """Forks the first process of the new PID namespace; this one only waits for it."""
    pid = os.fork()
    if pid:
        control.close()
        os.waitpid(pid, 0)
        os._exit(0)


class Zygote:
    """Forks, kills and reaps. Owns the control socket."""

    def __init__(self, control: socket.socket, spec: Spec, javascript: JavaScript) -> None:
        """Raises `OSError` where the kernel refuses the plan, `PreloadFailed` for a package."""
        status = Status()
        self._control = control
        self._spec = spec
        self._children: dict[int, Child] = {}
        self._pids = namespaces.ChildPids() if spec.plan != "none" else None
        self._listener = _listen(spec)
        can_become_nobody = namespaces.can_become_nobody()
        library_fds: tuple[int, ...] = ()
        if spec.plan == "full":
            rootfs.change_root(spec.packages, spec.readable)
            _make_importable(rootfs.PACKAGES if spec.packages else "")
        else:
            _make_importable(spec.packages)
            library_fds = preload.reach_library_as_nobody() if can_become_nobody else ()
        preload.import_packages(spec.preload, status)
        surroundings = Surroundings.survey(
            spec, can_become_nobody=can_become_nobody, address_space_bytes=status.address_space_bytes()
        )
        self._inheritance = Inheritance(spec, surroundings, javascript, library_fds)
        # Orphans of a child come to us and are killed; in a PID namespace the kernel does that itself.
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)

    def rehearse(self) -> None:
        """Confines one process and lets it go. Raises `OSError` with its complaint: all would fail so."""
        ours, theirs = socket.socketpair()
        temp_folder = self._make_temp_folder(0)
        with open(os.devnull, "wb") as output, ours, theirs:
            pid = self._fork()
            if pid == 0:
                ours.close()
                become_child(theirs.fileno(), output.fileno(), self._inheritance, temp_folder)
            theirs.close()
            message = json.loads(read_frame(ours.fileno()))
        os.waitpid(pid, 0)
        self._remove_temp_folder(temp_folder)
        if "refused" in message:
            raise OSError(message["refused"])

    def serve(self) -> NoReturn:
        """Until the worker closes its end; then ends the process."""
        wake, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()  # or the first collection in each child copies every page
        self._announce()
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(wake, select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd == wake:
                    os.read(wake, 4096)
                    self._reap()
                elif not self._take_message():
                    self._shut_down()

    def _announce(self) -> None:
        fds = [self._listener.fileno()] if self._listener else []
        socket.send_fds(self._control, [json.dumps({"started": True}).encode()], fds)
        if self._listener:
            self._listener.close()

    def _take_message(self) -> bool:
        """Handles one message; False once the worker is gone."""
        try:
            payload, fds, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 2)
        except ConnectionResetError:
            return False  # gone before it had read all of ours
        if not payload:
            return False
        message = json.loads(payload)
        if "spawn" in message:
            self._spawn(message["spawn"], *fds)
        else:
            self._kill(message["kill"])
        return True

    def _spawn(self, child_id: int, connection: int, output: int) -> None:
        try:
            temp_folder = self._make_temp_folder(child_id)
            pid = self._fork()
        except OSError as error:
            self._send({"exited": child_id, "signal": 0, "code": 0, "cpu_s": 0.0, "error": str(error)})
        else:
            if pid == 0:
                become_child(connection, output, self._inheritance, temp_folder)
            self._children[pid] = Child(child_id, temp_folder)
        os.close(connection)
        os.close(output)

    def _fork(self) -> int:
        return self._pids.fork() if self._pids else os.fork()

    def _make_temp_folder(self, child_id: int) -> str:
        if self._spec.plan == "full":
            return rootfs.TEMP_FOLDER  # where the child mounts its own
        folder = os.path.join(self._spec.temp_dir, str(child_id))
        os.mkdir(folder, 0o700)
        if self._inheritance.surroundings.can_become_nobody:
            os.chown(folder, NOBODY, NOBODY)
        return folder

    def _remove_temp_folder(self, folder: str) -> None:
        if self._spec.plan != "full":
            shutil.rmtree(folder, ignore_errors=True)

    def _kill(self, child_id: int) -> None:
        for pid, child in self._children.items():
            if child.id == child_id:
                _kill_group(pid)

    def _reap(self) -> None:
        while pid := _ended_child():
            _kill_group(pid)  # before its number is free to be another's
            _, status, usage = os.wait4(pid, 0)
            if child := self._children.pop(pid, None):
                self._report_end(child, os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime)
        if self._pids is None:
            for pid in _own_children() - self._children.keys():
                _kill_group(pid)

    def _report_end(self, child: Child, code: int, cpu_s: float) -> None:
        self._remove_temp_folder(child.temp_folder)
        self._send({"exited": child.id, "signal": max(-code, 0), "code": max(code, 0), "cpu_s": cpu_s})

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(json.dumps(message).encode())

    def _shut_down(self) -> NoReturn:
        for pid in self._children:
            _kill_group(pid)
        self._remove_temp_folder(self._spec.temp_dir)
        os._exit(0)


def _listen(spec: Spec) -> socket.socket | None:
    if not spec.network:
        return None
    if spec.plan == "none":
        raise OSError("HOPLINE_SANDBOX_NETWORK: there is no network namespace to keep scripts in")
    return namespaces.listen_on_loopback(PROXY_PORT)


def _make_importable(packages: str) -> None:
    """Last of all: a package must not shadow the standard library."""
    if packages:
        sys.path.append(packages)


def _ended_child() -> int | None:
    """The PID of a child that has ended, left as it is."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended else None


def _kill_group(pid: int) -> None:
    """The process and its group, which it leads once it has detached."""
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _own_children() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            return {int(pid) for pid in children.read().split()}
    except OSError:
        return set()
