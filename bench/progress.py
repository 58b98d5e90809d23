"""What a command of the bench says on stderr while it works."""

import sys
import time
from collections.abc import Callable

Say = Callable[[str], None]
"""Shows one line of progress."""

_BEGAN = time.monotonic()


def say(*words: str) -> None:
    """One line, after the seconds since the command began: what it is about, perhaps, and what there is."""
    print(f"{time.monotonic() - _BEGAN:7.1f} s  {': '.join(words)}", file=sys.stderr, flush=True)
