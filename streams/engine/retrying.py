"""Further attempts at a node that has failed: whether there is one, and when it begins."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from uuid import UUID

from schemas.nodes.base import RetryConfig
from streams.engine.errors import NodeFailure

_STATUS = re.compile(r"[1-5](\d\d|xx)")

_Matches = Callable[[NodeFailure], bool]


@dataclass(frozen=True, slots=True)
class Retrying:
    """Of one node."""

    attempts: int
    """After the first."""
    interval_us: int
    """From the end of the first attempt to the beginning of the second."""
    factor: float
    """Each further interval is so many times the one before."""
    max_interval_us: int
    jitter: float
    """An interval is longer by up to this share of it."""
    wanted: _Matches
    """Which failures are worth another attempt."""

    def tries_again(self, attempt: int, failure: NodeFailure) -> bool:
        """Whether there is another attempt after the one with this number, from 1."""
        return attempt <= self.attempts and self.wanted(failure)

    def wait_us(self, attempt: int, next_id: str, failure: NodeFailure) -> int:
        """From the end of the attempt with this number to the beginning of the next.

        The chance in it is drawn from the id of the next execution: told again, it is the same. What the peer
        has asked for is kept to, up to the longest interval.
        """
        grown = min(self.interval_us * self.factor ** (attempt - 1), self.max_interval_us)
        asked = min((failure.retry_after_s or 0) * 1e6, self.max_interval_us)
        drawn = UUID(next_id).int % 2**32 / 2**32 if self.jitter else 0.0
        return round(max(grown, asked) * (1 + self.jitter * drawn))


@lru_cache(maxsize=1024)
def compile_retrying(config: RetryConfig, *, may_retry: bool) -> Retrying:
    """Shared by all nodes that say the same, as most do. Only nodes that do I/O are tried again (Dify)."""
    return Retrying(
        attempts=config.max_retries if may_retry and config.retry_enabled else 0,
        interval_us=config.retry_interval * 1000,
        factor=config.backoff_factor,
        max_interval_us=max(config.max_interval, config.retry_interval) * 1000,
        jitter=config.jitter,
        wanted=_wanted(config),
    )


def _wanted(config: RetryConfig) -> _Matches:
    among, never = _any_of(config.retry_on), _any_of(config.give_up_on)
    if not config.retry_on:
        return lambda failure: not never(failure)
    return lambda failure: among(failure) and not never(failure)


def _any_of(patterns: Sequence[str]) -> _Matches:
    statuses = tuple(one.replace("x", "?") for one in patterns if _STATUS.fullmatch(one))
    names = tuple(one for one in patterns if not _STATUS.fullmatch(one))

    def matches(failure: NodeFailure) -> bool:
        status = str(failure.status_code or "")
        return any(fnmatchcase(status, one) for one in statuses) or any(
            fnmatchcase(failure.error_type, one) for one in names
        )

    return matches
