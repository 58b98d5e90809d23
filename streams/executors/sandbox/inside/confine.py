"""Puts the layers of isolation on a freshly forked process, in the only order in which they stack."""

import contextlib
import errno
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass

from streams.executors.sandbox.inside import kernel, landlock, rootfs, seccomp
from streams.executors.sandbox.inside.landlock import Rules
from streams.executors.sandbox.inside.readable import device_paths, readable_paths
from streams.executors.sandbox.inside.spec import (
    ACTIVE,
    FILES,
    IDENTITY,
    LANDLOCK,
    NETWORK,
    NOBODY,
    PRIVILEGES,
    PROCESSES,
    PROXY_PORT,
    RESOURCES,
    SECCOMP,
    SWITCHED_OFF,
    Spec,
)

Report = dict[str, str]
"""Each layer of `LAYERS`: `ACTIVE`, or why it does not hold."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the zygote works out once, so that each process need not."""

    landlock: Rules | None
    """None where the kernel has no Landlock."""
    filter: bytes | None
    """None where seccomp does not know the machine."""
    can_become_nobody: bool
    address_space_bytes: int
    """What a process has from its start."""

    @classmethod
    def survey(cls, spec: Spec, *, can_become_nobody: bool, address_space_bytes: int) -> "Surroundings":
        """To be called after the root has been changed and everything has been imported."""
        version = landlock.version()
        paths = (*readable_paths(spec.readable), *device_paths())
        rules = Rules(paths, PROXY_PORT if spec.network else None, version) if version else None
        program = seccomp.assemble(connecting=spec.network) if seccomp.supported() else None
        return cls(rules, program, can_become_nobody, address_space_bytes)


def confine(spec: Spec, surroundings: Surroundings, temp_folder: str) -> Report:
    """Confines the calling process for good and makes its temporary folder the working directory.

    A layer that the machine does not have is reported. Raises `OSError` when one that it has can not be
    put on: then nothing may run.
    """
    report = {NETWORK: ACTIVE, PROCESSES: ACTIVE, FILES: ACTIVE}
    if spec.plan == "full":
        rootfs.mount_private_temp(spec.temp_bytes)
    os.chdir(temp_folder)
    _limit(_limits(spec, surroundings.address_space_bytes))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    report[PRIVILEGES] = ACTIVE
    report[LANDLOCK] = _restrict_files(spec, surroundings.landlock, temp_folder)
    report[IDENTITY] = _drop_identity(spec, surroundings.can_become_nobody)
    _limit_threads(spec.processes)
    report[RESOURCES] = ACTIVE
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # no tracing by others of the same user
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)  # after the change of identity, which clears it
    report[SECCOMP] = _filter_system_calls(spec, surroundings.filter)
    return report


def _restrict_files(spec: Spec, rules: Rules | None, temp_folder: str) -> str:
    if LANDLOCK in spec.without:
        return SWITCHED_OFF
    if rules is None:
        return "this kernel has no Landlock (it came with Linux 5.13), or a container hides it"
    rules.restrict(temp_folder)
    return ACTIVE


def _filter_system_calls(spec: Spec, program: bytes | None) -> str:
    if SECCOMP in spec.without:
        return SWITCHED_OFF
    if program is None:
        return f"no system call table for {kernel.MACHINE}"
    try:
        seccomp.install(program)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return "this kernel is built without seccomp filters"
    return ACTIVE


def _limits(spec: Spec, address_space_bytes: int) -> dict[int, int]:
    # Soft equals hard for the CPU: the first process of a PID namespace ignores the soft limit's signal.
    return {
        resource.RLIMIT_CPU: spec.cpu_s,
        resource.RLIMIT_AS: address_space_bytes + spec.memory_bytes,
        resource.RLIMIT_FSIZE: spec.temp_bytes,
        resource.RLIMIT_NOFILE: spec.open_files,
        resource.RLIMIT_CORE: 0,
    }


def _limit(limits: Mapping[int, int]) -> None:
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _limit_threads(threads: int) -> None:
    """The kernel counts the threads of a user, and one user runs all scripts: a script that takes all of
    them would leave none to the others. In a user namespace of its own it is counted by itself."""
    # Refused, or before Linux 5.14, they are counted together. The limit comes after: what holds when a
    # namespace begins, holds for all that its user has outside.
    with contextlib.suppress(OSError):
        kernel.unshare(kernel.CLONE_NEWUSER)
    _limit({resource.RLIMIT_NPROC: threads})


def _drop_identity(spec: Spec, can_become_nobody: bool) -> str:
    """Gives up root for nobody."""
    reason = ACTIVE
    if can_become_nobody:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    elif os.geteuid() == 0:
        reason = "stays root, without capabilities: this container has no user nobody"
    elif spec.plan == "none":
        reason = f"runs as the worker's own user {os.geteuid()}: only root can change it without namespaces"
    return reason
