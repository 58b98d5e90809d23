"""Faust and aiokafka say less: warnings only, and each of them not more often than a person can read."""

import logging
from time import monotonic

_EVERY_S = 10.0

_REPEATING = (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.consumer",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
)
"""Loggers that report every attempt while a broker is away: 80 lines a second."""


class _OncePerPeriod(logging.Filter):
    """Lets each message template of a logger through once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = monotonic()
        if now - self._said_at.get(record.msg, -_EVERY_S) < _EVERY_S:
            return False
        self._said_at[record.msg] = now
        return True


def quieten() -> None:
    """For the whole process; may be called more than once."""
    for name in ("faust", "mode", "aiokafka", "streams.shell.repairs"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _REPEATING:
        logger = logging.getLogger(name)
        if not any(isinstance(each, _OncePerPeriod) for each in logger.filters):
            logger.addFilter(_OncePerPeriod())
