"""Whose the rows of each stage are, for their dead letters."""

from collections.abc import Mapping

from schemas.models import DEFAULT_TENANT
from streams.shell.stage import Stage
from streams.subscriptions.attempts import install
from streams.subscriptions.stage import Subscriptions
from tests.streams import chat, test_runner, test_schedules
from tests.streams.gates.driver import TENANT, THROTTLE, Driver
from tests.streams.subscriptions.partition import CODEC, subscription
from tests.streams.subscriptions.test_stage import Attempts


def owners(stage: Stage, rows: Mapping[str, bytes]) -> set[str | None]:
    """Of the rows that may be due."""
    assert stage.owner is not None
    assert stage.due is not None
    return {stage.owner(key, row) for key, row in rows.items() if stage.due(key, row) is not None}


def test_a_run() -> None:
    bench = test_runner.Bench(test_runner.WAITING)
    bench.start()
    assert owners(bench.runner.stage(), bench.table) == {"t"}


def test_a_conversation() -> None:
    talk = chat.Chat()
    talk.begin("hello", "r1")
    assert owners(talk.conversations.stage(), talk.table) == {"t"}


def test_a_schedule() -> None:
    clock = test_schedules.Clockwork()
    clock.tell("SET", test_schedules.trigger())
    assert owners(clock.stage.stage(), clock.table) == {DEFAULT_TENANT}


def test_a_subscription() -> None:
    one = subscription(id="s", credential_expires_at=1)
    rows = {one.id: install(None, one, 0).encode()}
    assert owners(Subscriptions(CODEC, Attempts(0)).stage(), rows) == {DEFAULT_TENANT}


def test_an_event_before_a_gate_but_not_the_gate() -> None:
    driver = Driver(repeats=False)
    for name in ("first", "second"):
        driver.event(name, THROTTLE)
    assert driver.stage.owner is not None
    found = {key.partition("/")[1]: driver.stage.owner(key, row) for key, row in driver.rows.items()}
    assert found == {"": None, "/": TENANT}
