"""The garbage collector of a process that serves: seldom, and not through what stays."""

import gc

_COLLECT_AFTER = (50_000, 20, 100)
"""By default it looks every 700 objects through what all requests, records and sends under way hold, and now
and then through everything that has been loaded. That was a sixth of the CPU of a request and an eighth of a
worker's, and pauses of 50 ms at the 99th percentile."""


def collect_rarely() -> None:
    """To be called once, when everything is loaded: what is there by then is looked at no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
