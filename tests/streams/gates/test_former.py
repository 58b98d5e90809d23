"""Gates that the release before has had in between: it changes what it knows of a head, and no more."""

from typing import Any

from streams.gates.rows import Head
from streams.gates.ticket import Gate
from tests.streams.gates.driver import DEPENDS, LEADING, RATE_LIMIT, START_US, Driver, gate

TRAILING = gate("debounce", period_s=3, mode="trailing", max_wait_s=None)


def leave(driver: Driver, gate: Gate, **state: Any) -> None:
    """Writes into the head what the release before does."""
    head = Head.decode(driver.rows[gate.gate_key])
    head.state |= state
    driver.rows[gate.gate_key] = head.encode()


def at_us(second: float) -> int:
    return START_US + round(second * 1e6)


def started(driver: Driver) -> list[str]:
    driver.advance(driver.at_s + 300)
    assert driver.rows == {}
    return [name for _, name, _ in driver.started]


def test_what_comes_close_to_an_event_that_it_has_started_starts_nothing() -> None:
    driver = Driver()
    driver.event("here", LEADING)
    driver.advance(10)
    leave(driver, LEADING, first=at_us(10), until=at_us(13))
    driver.advance(11)
    driver.event("close", LEADING)
    assert started(driver) == ["here"]


def test_an_event_that_it_lets_wait_is_replaced_by_what_comes_close_to_that() -> None:
    driver = Driver()
    driver.event("first", TRAILING)
    known = Head.decode(driver.rows[TRAILING.gate_key]).state
    driver.advance(2)
    driver.event("there", TRAILING)
    leave(driver, TRAILING, **{name: known[name] for name in known if name.startswith("rest")})
    driver.advance(4)
    driver.event("close", TRAILING)
    assert started(driver) == ["close"]


def test_what_it_has_let_pass_counts_when_an_older_event_comes() -> None:
    driver = Driver()
    driver.advance(10)
    driver.event("here", RATE_LIMIT)
    leave(driver, RATE_LIMIT, expected=at_us(20))
    driver.event("older", RATE_LIMIT, accepted_s=3)
    driver.advance(11)
    driver.event("too many", RATE_LIMIT)
    assert started(driver) == ["here", "older"]


def test_an_event_of_another_trigger_that_it_has_noted_stays_known() -> None:
    driver = Driver()
    driver.note(DEPENDS, "other", 20)
    driver.advance(30)
    leave(driver, DEPENDS, fired={"other": at_us(30)})
    driver.advance(70)
    driver.note(DEPENDS, "other", 20)
    driver.event("late", DEPENDS, accepted_s=31)
    assert started(driver) == ["late"]
