"""Runs that have failed start again."""

from typing import Any

import pytest

from schemas.ids import retried_run_id
from schemas.triggers.config import Retry
from streams.gates.retries import ended_run, run_again
from streams.gates.ticket import Gate
from tests.streams.gates.driver import CODEC, FLOW, THROTTLE, Driver, ticket

CONFIG = {"max_retries": 2, "delay_s": 10, "max_delay_s": 15, "jitter": 0.5}
DEFAULT = Retry()
FIRST = "run-a"
AGAIN = retried_run_id(FIRST, 1)


@pytest.fixture(params=[False, True], ids=["once", "repeated"])
def driver(request: pytest.FixtureRequest) -> Driver:
    return Driver(repeats=request.param)


def retry() -> Gate:
    return Gate.of(FLOW, "retry", FIRST, CONFIG)


def end(
    driver: Driver, status: str, attempt: int = 0, trigger_type: str = "WEBHOOK", known: Retry = DEFAULT
) -> None:
    """The engine says that the run of that attempt has ended. `known`: as the trigger is by then."""
    made = CODEC.decode("WorkflowTriggerLog", ticket("a", (), driver.now_us, trigger_type).log)
    run_id = retried_run_id(FIRST, attempt) if attempt else FIRST
    metadata = f'{{"retry_of":"{FIRST}"}}' if attempt else "{}"
    log = {**made, "status": status, "workflow_run_id": run_id, "finished_at": driver.now_us, "revision": 3,
           "retry_count": attempt, "trigger_metadata": metadata, "error": "no luck"}  # fmt: skip
    for send in ended_run(CODEC, log, known):
        driver.deliver(send)


def names(driver: Driver) -> list[str]:
    return [name for _, name, _ in driver.started]


def test_a_failed_run_starts_again_later_and_later_until_it_has_failed_often_enough(driver: Driver) -> None:
    driver.event("a", retry())
    assert names(driver) == ["a"]
    end(driver, "FAILED")
    driver.advance(9.9)
    assert names(driver) == ["a"]
    driver.advance(15.1)
    assert names(driver) == ["a", retried_run_id(FIRST, 1)]
    assert driver.started[1][2] == {"name": "a"}
    end(driver, "FAILED", 1)
    driver.advance(15.1 + 14.9)
    assert len(names(driver)) == 2
    driver.advance(15.1 + 22.6)
    assert names(driver)[2:] == [retried_run_id(FIRST, 2)]
    end(driver, "FAILED", 2)
    driver.advance(1000)
    assert len(names(driver)) == 3
    assert driver.rows == {}


def test_its_log_is_pending_once_more(driver: Driver) -> None:
    driver.event("a", retry())
    end(driver, "FAILED")
    [log] = driver.pending
    assert (log["status"], log["revision"], log["retry_count"]) == ("PENDING", 4, 1)
    assert (log["workflow_run_id"], log["error"]) == (retried_run_id(FIRST, 1), "no luck")


@pytest.mark.parametrize("status", ["SUCCESS", "STOPPED"])
def test_what_has_not_failed_is_not_repeated(driver: Driver, status: str) -> None:
    driver.event("a", retry())
    end(driver, status)
    driver.advance(1000)
    assert (names(driver), driver.rows) == (["a"], {})


def test_an_end_that_is_told_twice_counts_once(driver: Driver) -> None:
    driver.event("a", retry())
    end(driver, "FAILED")
    end(driver, "FAILED")
    driver.advance(1000)
    assert len(names(driver)) == 2


def test_a_schedule_hears_that_its_run_starts_again_before_it_does(driver: Driver) -> None:
    driver.event("a", retry(), trigger_type="SCHEDULE")
    end(driver, "FAILED", trigger_type="SCHEDULE")
    assert names(driver) == ["a"]
    assert driver.ended == [{"workflow_run_id": FIRST, "again": AGAIN}]
    driver.advance(1000)
    end(driver, "SUCCESS", 1, "SCHEDULE")
    assert len(driver.ended) == 1, "the engine has told it"


@pytest.mark.parametrize("gates", [[Gate.of(FLOW, "retry", FIRST, {**CONFIG, "max_retries": 1})], []])
def test_a_schedule_hears_that_its_run_does_not_start_again_after_all(
    driver: Driver, gates: list[Gate]
) -> None:
    """The trigger has been changed meanwhile, or its runs are turns of a chat."""
    driver.event("a", *gates, trigger_type="SCHEDULE")
    attempt = len(gates)
    for failed in range(attempt + 1):
        end(driver, "FAILED", failed, "SCHEDULE")
        driver.advance(100 * (failed + 1))
    run_id, next_id = (retried_run_id(FIRST, n) if n else FIRST for n in (attempt, attempt + 1))
    assert driver.ended[attempt:] == [{"workflow_run_id": run_id}, {"workflow_run_id": next_id}]


def test_which_run_starts_another_again() -> None:
    made = CODEC.decode("WorkflowTriggerLog", ticket("a", (), 1).log)
    failed = {**made, "status": "FAILED", "finished_at": 5}
    second = {
        **failed,
        "retry_count": 1,
        "workflow_run_id": AGAIN,
        "trigger_metadata": f'{{"retry_of":"{FIRST}"}}',
    }
    assert run_again(failed, DEFAULT) == AGAIN
    assert run_again(second, DEFAULT) == retried_run_id(FIRST, 2)
    assert run_again(second, Retry(max_retries=1)) is None
    assert run_again(failed, None) is None
    assert run_again({**failed, "status": "SUCCESS"}, DEFAULT) is None


def test_it_is_the_last_gate(driver: Driver) -> None:
    driver.event("b", THROTTLE)
    driver.event("a", THROTTLE, retry())
    driver.advance(3)
    end(driver, "FAILED")
    driver.advance(100)
    assert names(driver) == ["b", "a", retried_run_id(FIRST, 1)]


def test_an_end_without_retries_is_told_to_nobody() -> None:
    log: dict[str, Any] = CODEC.decode("WorkflowTriggerLog", ticket("a", (), 1).log)
    assert ended_run(CODEC, {**log, "status": "FAILED", "finished_at": 5}, None) == []
    assert ended_run(CODEC, log, Retry()) == [], "the run is under way"
