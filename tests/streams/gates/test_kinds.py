"""Each kind of gate by itself."""

from hashlib import blake2b
from typing import Any, cast

import pytest

from schemas.codec import SingleObjectCodec
from streams.fetching import Fetcher
from streams.gates.rows import Head
from streams.gates.stage import Gates
from streams.gates.ticket import Gate, told
from streams.shell.rows import BREAK
from tests.streams.gates.driver import (
    BATCH,
    CODEC,
    DEPENDS,
    FLOW,
    HOLD,
    LEADING,
    RATE_LIMIT,
    START_US,
    TENANT,
    THROTTLE,
    TRAILING,
    Driver,
    NoFetcher,
    gate,
    ticket,
)


class Counting(SingleObjectCodec):
    """Counts the commands of gates that are decoded."""

    decoded = 0

    def decode(self, name: str, value: bytes | None) -> dict[str, Any]:
        self.decoded += name == "GateCommand"
        return super().decode(name, value)


@pytest.fixture(params=[False, True], ids=["once", "repeated"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Whether or not commands are decided again after a crash, the same comes out."""
    return Driver(repeats=request.param)


def feed(driver: Driver, gate: Gate, *times_s: float, until_s: float = 100) -> None:
    """Events named by their numbers."""
    for number, at_s in enumerate(times_s):
        driver.advance(at_s)
        driver.event(str(number), gate)
    driver.advance(until_s)


def starts(driver: Driver) -> list[tuple[float, str]]:
    return [(round(at_s, 1), name) for at_s, name, _ in driver.started]


def test_a_rate_limit_lets_a_burst_through_and_then_the_rate(driver: Driver) -> None:
    feed(driver, RATE_LIMIT, 0, 0, 0, 4.9, 5.1, 6)
    assert [name for _, name, _ in driver.started] == ["0", "1", "4"]
    assert driver.refused == dict.fromkeys("235", "over the rate limit: at most 2 in 10 s")
    assert driver.rows == {}


def test_a_limit_says_whose_it_is_and_each_key_has_its_own(driver: Driver) -> None:
    for number in range(6):
        driver.event(str(number), gate("rate_limit", "ab"[number % 2], limit=2, period_s=10))
    assert [name for _, name, _ in driver.started] == ["0", "1", "2", "3"]
    assert driver.refused["4"] == "over the rate limit of 'a': at most 2 in 10 s"


def test_a_throttle_lets_wait_in_order(driver: Driver) -> None:
    feed(driver, THROTTLE, 0, 0, 0, 1, 20)
    assert starts(driver) == [(0, "0"), (2, "1"), (4, "2"), (6, "3"), (20, "4")]
    assert driver.refused == {}
    assert driver.rows == {}


def test_a_throttle_lets_a_burst_through(driver: Driver) -> None:
    feed(driver, gate("throttle", limit=1, period_s=2, burst=3, max_wait_s=60), 0, 0, 0, 0, 0)
    assert starts(driver) == [(0, "0"), (0, "1"), (0, "2"), (2, "3"), (4, "4")]


def test_what_would_wait_too_long_is_refused(driver: Driver) -> None:
    feed(driver, gate("throttle", limit=1, period_s=2, burst=1, max_wait_s=3), 0, 0, 0)
    assert starts(driver) == [(0, "0"), (2, "1")]
    assert driver.refused == {"2": "over the throttle: it would wait for more than 3 s"}


def test_the_last_of_events_that_come_close_starts_once_there_is_rest(driver: Driver) -> None:
    feed(driver, TRAILING, 0, 1, 2, 20)
    assert starts(driver) == [(5, "2"), (23, "3")]
    assert driver.refused == dict.fromkeys("01", "debounced: a later event took its place")
    assert driver.rows == {}


def test_a_first_event_does_not_wait_for_ever(driver: Driver) -> None:
    feed(driver, TRAILING, 0, 2, 4, 6, 7.5, 9)
    assert starts(driver) == [(8, "4"), (12, "5")]


def test_an_event_looked_at_late_does_not_take_the_place_of_one_whose_time_had_come(driver: Driver) -> None:
    driver.event("0", TRAILING)
    late = driver.now_us
    driver.now_us += 10_000_000
    driver.event("1", TRAILING)
    driver.advance(60)
    assert sorted(name for _, name, _ in driver.started) == ["0", "1"]
    assert late == START_US


def test_the_first_of_events_that_come_close_starts_at_once(driver: Driver) -> None:
    feed(driver, LEADING, 0, 2, 4, 6, 7.9, 8.1, 20)
    assert starts(driver) == [(0, "0"), (8.1, "5"), (20, "6")]
    assert driver.refused["1"] == "debounced: it came within 3 s of another one"
    assert driver.rows == {}


def test_a_batch_starts_when_it_is_full(driver: Driver) -> None:
    feed(driver, BATCH, 0, 1, 2, 2)
    assert starts(driver) == [(2, "0"), (7, "3")]
    assert driver.started[0][2] == {"name": "0", "events": [{"name": "0"}, {"name": "1"}, {"name": "2"}]}
    assert driver.started[1][2] == {"name": "3", "events": [{"name": "3"}]}
    assert driver.refused == dict.fromkeys("12", "in a batch with 2 more: they start run run-0")
    assert driver.rows == {}


def test_a_batch_that_is_not_full_starts_when_its_time_is_up(driver: Driver) -> None:
    feed(driver, BATCH, 0, 4, 4.9, until_s=4.95)
    assert [round(at_s) for at_s, _, _ in driver.started] == [5]
    driver = Driver()
    feed(driver, BATCH, 0, 4)
    assert starts(driver) == [(5, "0")]
    assert len(driver.started[0][2]["events"]) == 2


def test_the_end_of_a_batch_that_is_repeated_begins_none() -> None:
    driver = Driver()
    feed(driver, BATCH, 0, 0, 0, until_s=1)
    assert len(driver.started) == 1
    driver.repeat_last()
    driver.advance(200)
    assert len(driver.started) == 1
    assert driver.rows == {}


def test_what_has_passed_at_the_end_of_a_window_is_not_refused_when_it_is_repeated() -> None:
    driver = Driver()
    driver.note(DEPENDS, "other", 20)
    driver.advance(19.9)
    driver.event("a", DEPENDS)
    driver.advance(20.5)
    driver.repeat_last()
    driver.advance(200)
    assert (len(driver.started), driver.refused, driver.rows) == (1, {}, {})


def test_held_events_go_on_in_order_once_the_workflow_is_resumed(driver: Driver) -> None:
    feed(driver, HOLD, 0, 1, 2, until_s=50)
    assert (driver.started, driver.refused) == ([], {})
    driver.resume(HOLD)
    driver.advance(60)
    assert [name for _, name, _ in driver.started] == ["0", "1", "2"]
    driver.event("late", HOLD)
    assert driver.started[-1][1] == "late", "sent by a router that had not seen the end of the pause"
    again = gate("hold", since=driver.now_us + 1)
    driver.event("paused again", again)
    driver.advance(90_000)
    assert driver.started[-1][1] == "late"
    driver.now_us += 1
    driver.resume(again)
    driver.advance(190_000)
    assert driver.started[-1][1] == "paused again"
    assert driver.rows == {}


def test_more_held_events_than_a_portion_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.gates.kinds._DRAINED", 3)
    driver = Driver()
    feed(driver, HOLD, *range(10), until_s=20)
    driver.resume(HOLD)
    driver.advance(100_000)
    assert [name for _, name, _ in driver.started] == [str(n) for n in range(10)]
    assert driver.rows == {}


def test_each_pause_of_a_day_lets_its_events_go_on(driver: Driver) -> None:
    for number in range(3):
        paused = gate("hold", since=driver.now_us)
        driver.event(f"held {number}", paused)
        driver.advance(driver.at_s + 60)
        assert len(driver.started) == number
        driver.resume(paused)
        driver.advance(driver.at_s + 60)
        assert driver.started[-1][1] == f"held {number}"
    driver.advance(100_000)
    assert driver.rows == {}


def test_a_workflow_that_is_paused_again_while_it_goes_on_is_left_in_peace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.gates.kinds._DRAINED", 3)
    driver = Driver()
    feed(driver, HOLD, *range(4), until_s=10)
    again = gate("hold", since=driver.now_us + 1_000_000)
    for number in range(3):
        driver.event(f"again {number}", again)
    driver.resume(HOLD)
    driver.advance(15)
    assert [name for _, name, _ in driver.started] == ["0", "1", "2", "3"]
    head = Head.decode(driver.rows[HOLD.gate_key])
    assert head.due_us is not None
    assert head.due_us > driver.now_us + 1_000_000, "nothing is to be done until it is resumed"
    driver.resume(again)
    driver.advance(30)
    assert [name for _, name, _ in driver.started[4:]] == ["again 0", "again 1", "again 2"]


def test_so_many_events_wait_for_another_trigger(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.gates.kinds.MOST_PENDING", 2)
    for name in ("a", "b", "c"):
        driver.event(name, DEPENDS)
    assert driver.refused == {"c": "2 events wait for the triggers it depends on already"}
    driver.advance(5)
    driver.note(DEPENDS, "other", 20)
    assert [name for _, name, _ in driver.started] == ["a", "b"]


def test_a_trigger_waits_for_another_whichever_comes_first(driver: Driver) -> None:
    driver.event("before", DEPENDS)
    assert driver.started == []
    driver.advance(10)
    driver.note(DEPENDS, "other", 20)
    driver.advance(25)
    driver.event("after", DEPENDS)
    assert starts(driver) == [(10, "before"), (25, "after")]
    driver.advance(40)
    driver.event("too late", DEPENDS)
    driver.advance(100)
    assert driver.refused == {"too late": "not all of the triggers it depends on came within 20 s"}
    driver.advance(1000)
    assert driver.rows == {}


def test_what_waits_for_another_trigger_is_not_read_again_for_each_of_its_events() -> None:
    """2,000 of them took the loop of a worker 50 ms, each time, as most wait for yet another one."""
    driver, codec = Driver(), Counting()
    driver.stage = Gates(codec, cast(Fetcher, NoFetcher())).stage()
    needs = gate("depends", triggers=["a", "b"], mode="all", window_s=20)
    for number in range(30):
        driver.event(str(number), needs)
    codec.decoded = 0
    for _ in range(3):
        driver.note(needs, "a", 20)
    assert codec.decoded == 3 + 30, "the notes themselves, and each that waits once"
    driver.note(needs, "b", 20)
    assert [name for _, name, _ in driver.started] == [str(number) for number in range(30)]


def test_the_name_of_an_event_that_is_gone_keeps_no_gate() -> None:
    """A worker died between the two rows of a refusal."""
    driver = Driver()
    driver.event("a", DEPENDS)
    driver.note(gate("depends", triggers=["other"], mode="all", window_s=20), "yet another", 20)
    del driver.rows[next(key for key in driver.rows if BREAK in key)]
    driver.advance(1000)
    assert driver.rows == {}


@pytest.mark.parametrize("turns", [0, 1])
def test_what_may_have_been_refused_does_not_pass_when_the_other_comes_late(turns: int) -> None:
    """Its worker dies when it has sent what is due. Who serves it again hears first of the other one."""
    driver = Driver()
    driver.event("a", DEPENDS)
    header = {"tenant_id": TENANT, "workflow_id": FLOW, "issued_at": driver.now_us}
    other = told(CODEC, DEPENDS.gate_key, "NOTE", header, {"trigger_id": "other", "window_s": 20})
    driver.now_us += 20_000_000
    for _ in range(turns):
        driver.serve()
    driver.serve(dies=True)
    driver.deliver(other)
    driver.advance(100)
    assert len(driver.refused) + len(driver.started) == 1, "either is right, both are not"


@pytest.mark.parametrize(("mode", "started"), [("all", ["1"]), ("any", ["0", "1"])])
def test_all_or_any_of_several(driver: Driver, mode: str, started: list[str]) -> None:
    needs = gate("depends", triggers=["a", "b"], mode=mode, window_s=20)
    driver.note(needs, "a", 20)
    driver.event("0", needs)
    driver.advance(30)
    driver.note(needs, "a", 20)
    driver.note(needs, "b", 20)
    driver.event("1", needs)
    driver.advance(100)
    assert [name for _, name, _ in driver.started] == started


def test_a_schedule_is_told_of_a_run_that_will_not_begin(driver: Driver) -> None:
    for number in range(3):
        driver.event(str(number), RATE_LIMIT, trigger_type="SCHEDULE")
    assert driver.released == ["trigger"]


@pytest.mark.parametrize("kind", [BATCH, TRAILING, RATE_LIMIT, THROTTLE])
def test_an_event_that_the_router_sends_again_has_come_once(kind: Gate) -> None:
    """It had died before it could commit: the same event is another command."""
    driver, once = Driver(), Driver()
    for name in ("a", "b"):
        once.event(name, kind)
        driver.event(name, kind)
        driver.event(name, kind)
    for each in (once, driver):
        each.advance(30)
    assert (driver.started, driver.refused) == (once.started, once.refused)


def test_an_event_that_ingress_has_delivered_twice_is_in_a_batch_once() -> None:
    """Its window has passed, but the batch has not."""
    driver = Driver()
    for offset in (7, 8):
        driver.deliver(ticket("a", (BATCH,), START_US, task_id=f"trigger.events/0/{offset}").send(CODEC))
    driver.advance(30)
    assert [inputs["events"] for _, _, inputs in driver.started] == [[{"name": "a"}]]


@pytest.mark.parametrize("kind", [BATCH, TRAILING, LEADING, RATE_LIMIT, THROTTLE, DEPENDS])
def test_a_gate_knows_for_a_minute_who_has_come(kind: Gate) -> None:
    """The offset of its event may not be committed."""
    driver = Driver()
    driver.event("a", kind)
    driver.advance(59)
    before = (len(driver.started), len(driver.refused))
    driver.event("a", kind)
    driver.advance(300)
    assert (len(driver.started), len(driver.refused)) == before
    assert driver.rows == {}


def test_events_are_known_that_the_release_before_has_noted() -> None:
    head = Head(entered=BREAK + blake2b(b"the log", digest_size=6).hexdigest())
    assert not head.enter("its id", b"the log")
    assert head.enter("its id", b"another record of it")
    assert not head.enter("its id", b"a third")


def test_a_gate_is_not_forgotten_right_after_an_outage() -> None:
    driver = Driver()
    event = ticket("a", (BATCH,), START_US).send(CODEC)
    driver.deliver(event)
    driver.advance(6)
    driver.now_us += 600_000_000
    driver.advance(630)
    driver.deliver(event)
    driver.advance(660)
    assert [inputs for _, _, inputs in driver.started] == [{"name": "a", "events": [{"name": "a"}]}]
    driver.advance(800)
    assert driver.rows == {}
