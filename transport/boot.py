"""Which boot of the machine this is: what was not synced outlives a process, and not the machine."""

from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Another one each time the machine is started. Empty where the system does not say it (not Linux)."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
