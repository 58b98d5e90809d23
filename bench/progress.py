"""What a command of the bench says on stderr while it works."""

import sys
import time

_BEGAN = time.monotonic()


def say(subject: str, line: str) -> None:
    """One line, after the seconds since the command began."""
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {subject}: {line}", file=sys.stderr, flush=True)
