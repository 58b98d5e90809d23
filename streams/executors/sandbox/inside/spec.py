"""What the worker tells a zygote at its start, and the names of the layers of isolation."""

from dataclasses import dataclass
from typing import Literal

Plan = Literal["full", "no-mount", "none"]
"""Which namespaces to enter: all, all but the mount namespace, or none."""

NETWORK = "network-namespace"
PROCESSES = "pid-namespace"
FILES = "mount-namespace"
LANDLOCK = "landlock"
SECCOMP = "seccomp"
IDENTITY = "unprivileged-user"
RESOURCES = "resource-limits"
PRIVILEGES = "no-new-privileges"

LAYERS = (NETWORK, PROCESSES, FILES, LANDLOCK, SECCOMP, IDENTITY, RESOURCES, PRIVILEGES)

PROXY_PORT = 3128
"""On 127.0.0.1, for scripts that may use the network: all that there is in their network namespace."""

ACTIVE = "active"
"""The word for a layer that holds; any other text is the reason why it does not."""

SWITCHED_OFF = "switched off by HOPLINE_SANDBOX_WITHOUT"

NOBODY = 65534
"""User and group id of sandboxed processes wherever the kernel lets us change them."""


@dataclass(frozen=True, slots=True)
class Spec:
    """Sent as JSON in the first control message."""

    plan: Plan
    without: list[str]
    """Layers that the operator has switched off."""
    javascript: str
    """Path of the extension module that is the JavaScript engine."""
    packages: str
    """Folder of what scripts may import besides the standard library; empty for nothing."""
    preload: list[str]
    """Modules to import once, in the zygote."""
    environment: dict[str, str]
    """The environment variables of every script."""
    network: bool
    """Whether scripts may connect to the proxy."""
    readable: list[str]
    """Files that scripts may read besides libraries."""
    temp_dir: str
    """Where processes get their own folder when they cannot have a file system of their own."""
    cpu_s: int
    memory_bytes: int
    """Of address space, beyond what the zygote has when it forks."""
    temp_bytes: int
    """Of one file, and of the whole private file system where there is one."""
    processes: int
    open_files: int
    stdout_bytes: int
    output_bytes: int
