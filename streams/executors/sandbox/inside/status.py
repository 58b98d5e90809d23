"""What the kernel says of this process, also once the root has been changed and there is no /proc."""


class Status:
    """Opens /proc/self/status, and keeps it open."""

    def __init__(self) -> None:
        self._file = open("/proc/self/status")  # noqa: SIM115 - for as long as the process lives

    def threads(self) -> int:
        """Of this process, those of C libraries included."""
        return int(self._field("Threads"))

    def address_space_bytes(self) -> int:
        """What counts against RLIMIT_AS."""
        return int(self._field("VmSize")) << 10

    def _field(self, name: str) -> str:
        self._file.seek(0)
        return next(line for line in self._file if line.startswith(f"{name}:")).split()[1]
