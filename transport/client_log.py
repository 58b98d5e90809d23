"""Where clients of Kafka put what they have to say: into the log of the process, and not again and again."""

import logging
import re
from typing import Final

REPEATED_S: Final = 60.0
"""What was said is said again after so long."""

_MANY = 1_000
_NUMBERS = re.compile(r"\d+")


class _NotAgain(logging.Filter):
    """librdkafka tells of each attempt to connect, ten to twenty a second and client while no broker answers:
    it begins anew with all of them after each, and counts no repetition."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        said = _NUMBERS.sub("", record.getMessage())
        if record.created < self._told.get(said, 0.0) + REPEATED_S:
            return False
        if len(self._told) >= _MANY:
            self._told.clear()
        self._told[said] = record.created
        return True


def client_log(module: str) -> logging.Logger:
    """For the option `logger` of a client that `module` opens."""
    logger = logging.getLogger(f"{module}.librdkafka")
    if not logger.filters:
        logger.addFilter(_NotAgain())
    return logger
