"""The garbage collector of a process that serves: seldom, and not through what stays."""

import gc
import sys
from importlib import import_module
from types import ModuleType

_COLLECT_AFTER = (50_000, 20, 100)
"""By default it looks every 700 objects through what all requests, records and sends under way hold, and now
and then through everything that has been loaded. That was a sixth of the CPU of a request and an eighth of a
worker's, and pauses of 50 ms at the 99th percentile."""


def load(module: str) -> ModuleType:
    """As `import_module`. The collector rests, and looks at nothing of it later: what is loaded stays. To go
    through it again and again took an eighth of the time."""
    if module in sys.modules:
        return sys.modules[module]
    gc.disable()
    try:
        return import_module(module)
    finally:
        # Before the collector wakes: with so much that is new, it would begin at once.
        gc.freeze()
        gc.enable()


def collect_rarely() -> None:
    """To be called once, when everything is loaded: what is there by then is looked at no more."""
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
