"""Which failures are worth another attempt, and how long it is until then."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.ids import node_execution_id
from schemas.nodes.base import RetryConfig
from streams.engine.errors import NodeFailure
from streams.engine.retrying import Retrying, compile_retrying

BROKEN = NodeFailure("it broke", "Broken")
MS = 1000


def retrying(**given: Any) -> Retrying:
    config = RetryConfig(retry_enabled=True, max_retries=3, **{"retry_interval": 1000, **given})
    return compile_retrying(config, may_retry=True)


def waits(policy: Retrying, failure: NodeFailure = BROKEN, run: str = "run") -> list[int]:
    """Milliseconds before each of the further attempts."""
    ids = [node_execution_id(run, "n", attempt=attempt) for attempt in (2, 3, 4)]
    return [policy.wait_us(n, next_id, failure) // MS for n, next_id in enumerate(ids, 1)]


def busy(after_s: float | None) -> NodeFailure:
    return NodeFailure("busy", "HTTPResponseCodeError", status_code=429, retry_after_s=after_s)


def test_intervals_are_all_the_same_as_in_dify_unless_they_are_to_grow() -> None:
    assert waits(retrying()) == [1000, 1000, 1000]
    assert waits(retrying(backoff_factor=3)) == [1000, 3000, 9000]
    assert waits(retrying(backoff_factor=3, max_interval=4000)) == [1000, 3000, 4000]
    assert waits(retrying(max_interval=10)) == [1000, 1000, 1000]


def test_chance_makes_an_interval_longer_and_is_the_same_when_it_is_asked_again() -> None:
    policy = retrying(jitter=0.5)
    drawn = waits(policy)
    assert drawn == waits(policy)
    assert all(1000 <= wait <= 1500 for wait in drawn)
    assert len({*drawn, *waits(policy, run="another run")}) == 6


def test_what_the_peer_asks_for_is_kept_to_within_bounds() -> None:
    assert waits(retrying(), busy(2.5)) == [2500, 2500, 2500]
    assert waits(retrying(), busy(0.1)) == [1000, 1000, 1000]
    assert waits(retrying(), busy(None)) == [1000, 1000, 1000]
    assert waits(retrying(), busy(86_400)) == [60_000, 60_000, 60_000]
    assert waits(retrying(max_interval=5_000), busy(86_400))[0] == 5_000


@pytest.mark.parametrize(
    ("config", "failure", "again"),
    [
        ({}, BROKEN, True),
        ({"retry_on": ["Broken"]}, BROKEN, True),
        ({"retry_on": ["Bro*"]}, BROKEN, True),
        ({"retry_on": ["Invoke*", "5xx"]}, BROKEN, False),
        ({"retry_on": ["5xx", "429"]}, busy(1), True),
        ({"retry_on": [503, "4xx"]}, busy(1), True),
        ({"retry_on": ["5xx"]}, busy(1), False),
        ({"give_up_on": ["429"]}, busy(1), False),
        ({"give_up_on": ["Broken"]}, busy(1), True),
        ({"retry_on": ["4xx"], "give_up_on": ["429"]}, busy(1), False),
    ],
)
def test_which_failures(config: dict[str, Any], failure: NodeFailure, again: bool) -> None:
    assert retrying(**config).tries_again(1, failure) is again


def test_how_often() -> None:
    assert [retrying().tries_again(attempt, BROKEN) for attempt in (1, 2, 3, 4)] == [True, True, True, False]
    assert not compile_retrying(RetryConfig(max_retries=3), may_retry=True).tries_again(1, BROKEN)
    enabled = RetryConfig(retry_enabled=True, max_retries=3)
    assert not compile_retrying(enabled, may_retry=False).tries_again(1, BROKEN)


@pytest.mark.parametrize("pattern", ["", "600", "4x", "not a name", "5xx,429"])
def test_what_names_no_failure_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        RetryConfig(retry_on=[pattern])
