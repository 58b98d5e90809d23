"""How many files and connections a process may have open."""

import logging
import resource

_log = logging.getLogger(__name__)


def allow_descriptors() -> None:
    """As many as the system lets it have. Shells give 1,024, the system more to who asks.

    Nothing here uses `select`, which could not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as refused:
        # macOS says "infinity" and takes less.
        _log.info("no more than %d files and connections at a time: %s", soft, refused)
