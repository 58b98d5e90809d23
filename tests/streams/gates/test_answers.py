"""Events that are the answers paused runs wait for."""

from typing import Any

import orjson
import pytest

from streams.gates.answers import waits
from streams.gates.ticket import Gate
from tests.streams.gates.driver import CODEC, FLOW, START_US, TENANT, Driver

FORM = {
    "inputs_schema": {"comment": {"type": "text-input", "required": True}},
    "actions": [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}],
}


@pytest.fixture(params=[False, True], ids=["once", "repeated"])
def driver(request: pytest.FixtureRequest) -> Driver:
    return Driver(repeats=request.param)


def execution(run_id: str, status: str = "paused", key: str = "", **changes: Any) -> dict[str, Any]:
    """The record of the node that waits in that run, for an hour."""
    metadata = {**FORM, "correlation_key": key, "message": "?", "timeout_seconds": 3600}
    pause = {"pause_metadata": metadata, "pause_expires_at": START_US // 1_000_000 + 3600}
    return {
        "id": f"pause-of-{run_id}", "workflow_run_id": run_id, "workflow_id": FLOW, "tenant_id": TENANT,
        "app_id": "app", "node_type": "human-input", "triggered_from": "workflow-run", "status": status,
        "execution_metadata": orjson.dumps({"pause": pause}).decode(), "created_at": START_US,
        "finished_at": None, **changes,
    }  # fmt: skip


def answer(key: str = "", *, look_back_s: float = 0, otherwise: str = "start", action: str = "yes",
           comment: str | None = "fine") -> Gate:  # fmt: skip
    inputs = {"other": 1} if comment is None else {"comment": comment, "other": 1}
    given = {"inputs": inputs, "action": action}
    config = {"look_back_s": look_back_s, "otherwise": otherwise, "answer": given}
    return Gate.of(FLOW, "answers", key, config)


def test_the_run_that_began_to_wait_last_is_answered_first(driver: Driver) -> None:
    driver.execution(execution("r1"))
    driver.execution(execution("r2"))
    driver.event("a", answer())
    driver.event("b", answer())
    driver.event("c", answer())
    assert [run for run, _ in driver.answered] == ["r2", "r1"]
    assert driver.answered[0][1] == {
        "interaction_id": "event/event-a", "node_execution_id": "pause-of-r2",
        "inputs": {"comment": "fine"}, "action": "yes", "by": "event event-a",
    }  # fmt: skip
    assert driver.answers == {"a": "r2", "b": "r1"}
    assert [name for _, name, _ in driver.started] == ["c"], "nothing waits any more"
    driver.advance(20_000)
    assert driver.rows == {}


@pytest.mark.parametrize("key", ["r1", "pause-of-r1", "order 7"])
def test_a_key_finds_the_run_by_its_pause_its_id_or_its_own_key(driver: Driver, key: str) -> None:
    driver.execution(execution("r1", key="order 7"))
    driver.execution(execution("r2", key="order 8"))
    driver.event("a", answer(key))
    assert driver.answers == {"a": "r1"}


def test_an_answer_that_comes_before_its_wait_is_not_lost(driver: Driver) -> None:
    driver.event("early", answer("order 7", look_back_s=30))
    driver.advance(20)
    assert driver.started == []
    driver.execution(execution("r1", key="order 7"))
    driver.advance(21)
    assert driver.answers == {"early": "r1"}
    driver.advance(20_000)
    assert (driver.started, driver.rows) == ([], {})


def test_an_answer_that_is_looked_at_late_waits_for_its_run_all_the_same(driver: Driver) -> None:
    driver.advance(600)
    driver.event("early", answer("order 7", look_back_s=30), accepted_s=0)
    driver.advance(601)
    driver.execution(execution("r1", key="order 7"))
    driver.advance(602)
    assert (driver.answers, driver.started) == ({"early": "r1"}, [])


@pytest.mark.parametrize("away_s", [0, 20])
def test_an_early_answer_is_no_start_after_a_crash(away_s: float) -> None:
    driver = Driver()
    driver.event("early", answer("order 7", look_back_s=30))
    driver.advance(29)
    with driver.dying():
        driver.execution(execution("r1", key="order 7"))
    driver.now_us += round(away_s * 1e6)
    driver.live_again()
    driver.advance(20_000)
    assert len(driver.answers) + len(driver.started) == 1, "either is right, both are not"
    assert driver.rows == {}


def test_an_early_answer_to_a_wait_that_is_over_at_once_goes_on(driver: Driver) -> None:
    driver.event("early", answer("order 7", look_back_s=30))
    told = [
        *waits(CODEC, execution("r1", key="order 7")),
        *waits(CODEC, execution("r1", "stopped", "order 7")),
    ]
    driver.deliver(*told)
    driver.advance(20_000)
    assert (driver.answers, [name for _, name, _ in driver.started]) == ({}, ["early"])
    assert driver.rows == {}


@pytest.mark.parametrize("turns", [0, 1, 2])
@pytest.mark.parametrize("first", ["over", "sent"])
def test_an_early_answer_that_has_ended_its_wait_is_no_start_as_well(turns: int, first: str) -> None:
    """Its worker dies when it has sent what is due. Who serves it again hears first that the wait is over."""
    driver = Driver()
    driver.event("early", answer("order 7", look_back_s=30))
    begins = list(waits(CODEC, execution("r1", key="order 7")))
    over = list(waits(CODEC, execution("r1", "succeeded", key="order 7")))
    driver.deliver(*begins, settles=False)
    driver.now_us += 1_000
    for _ in range(turns):
        driver.serve()
    if first == "over":
        driver.deliver(*over, settles=False)
    driver.serve(dies=True)
    driver.deliver(*over)
    driver.advance(20_000)
    assert len(driver.answers) + len(driver.started) == 1, "either is right, both are not"
    assert driver.rows == {}


def test_an_early_answer_that_does_not_fit_leaves_the_run_waiting(driver: Driver) -> None:
    driver.event("early", answer("order 7", look_back_s=30, action="maybe"))
    driver.execution(execution("r1", key="order 7"))
    driver.advance(1)
    assert "action must be one of" in driver.refused["early"]
    driver.event("b", answer("order 7"))
    assert driver.answers == {"b": "r1"}


def test_so_many_answers_wait_for_a_run(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.gates.answers.MOST_EARLY", 1)
    driver.event("a", answer("order 7", look_back_s=30))
    driver.event("b", answer("order 7", look_back_s=30))
    assert [name for _, name, _ in driver.started] == ["b"]


@pytest.mark.parametrize(("otherwise", "starts"), [("start", True), ("ignore", False)])
def test_what_answers_nothing_goes_on_after_a_while(driver: Driver, otherwise: str, starts: bool) -> None:
    driver.event("a", answer("order 7", look_back_s=30, otherwise=otherwise))
    driver.advance(29)
    assert (driver.started, driver.refused) == ([], {})
    driver.advance(31)
    assert [name for _, name, _ in driver.started] == (["a"] if starts else [])
    assert driver.refused == ({} if starts else {"a": "no run waits for this answer"})
    driver.execution(execution("r1", key="order 7"))
    assert driver.answers == {}


def test_an_answer_that_does_not_fit_leaves_the_run_waiting(driver: Driver) -> None:
    driver.execution(execution("r1"))
    driver.event("a", answer(action="maybe"))
    driver.event("b", answer(comment=None))
    assert driver.refused["a"] == "no answer to what run r1 waits for: action must be one of yes, no"
    assert driver.refused["b"].startswith("no answer to what run r1 waits for: comment ")
    driver.event("c", answer())
    assert driver.answers == {"c": "r1"}


@pytest.mark.parametrize("status", ["succeeded", "stopped"])
def test_a_wait_that_is_over_is_not_answered(driver: Driver, status: str) -> None:
    driver.execution(execution("r1", key="order 7"))
    driver.execution(execution("r1", status, key="order 7"))
    driver.event("a", answer())
    driver.event("b", answer("order 7"))
    assert (driver.answers, len(driver.started)) == ({}, 2)


def test_a_gate_that_nothing_waits_at_is_forgotten(driver: Driver) -> None:
    driver.event("a", answer("order 7"))
    assert [name for _, name, _ in driver.started] == ["a"]
    driver.advance(4_000)
    assert driver.rows == {}


def test_a_wait_whose_end_nobody_told_is_forgotten_in_time(driver: Driver) -> None:
    driver.execution(execution("r1", key="order 7"))
    driver.advance(3600 * 3)
    assert driver.rows == {}


def test_single_steps_and_other_nodes_wait_for_nobody(driver: Driver) -> None:
    driver.execution(execution("r1", triggered_from="single-step"))
    driver.execution(execution("r2", node_type="code", execution_metadata=None))
    assert driver.rows == {}
