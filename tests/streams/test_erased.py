"""What stages do with what is left of a tenant that was erased, and what they do for one that comes back."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT, Erasure, ErasureStatus
from streams.conversations import start_in_conversation
from streams.returns import cancellation
from tests.streams import chat, test_router, test_runner
from tests.streams.test_runner import NOW, RUN, START, WAITING, edge, node
from transport.definitions import ERASURES, WORKFLOWS, Definitions

WAITS = {
    "nodes": [START, node("wait", "wait", duration=60), node("end", "end", outputs=[])],
    "edges": [edge("start", "wait"), edge("wait", "end")],
}


def erase(definitions: Definitions, tenant_id: str, at_s: float | None = None) -> None:
    """It is over since that time, or goes on and its rows are being deleted."""
    before = None if at_s is None else datetime.fromtimestamp(at_s, UTC)
    status = ErasureStatus.RUNNING if before is None else ErasureStatus.COMPLETED
    erasure = Erasure(id="e", tenant_id=tenant_id, status=status, before=before, sealed=True)
    definitions.apply(ERASURES, "e", erasure)


@pytest.mark.parametrize("at_s", [None, NOW + 1])
def test_a_run_that_could_not_be_stopped_goes_with_its_workflow_and_is_told_to_nobody(
    at_s: float | None,
) -> None:
    for told in ("CANCEL", "due"):
        bench = test_runner.Bench(WAITS)
        bench.start()
        bench.table[f"{RUN}/w:1"] = b"a part"
        bench.feed.definitions.apply(WORKFLOWS, f"flow:{bench.version}", None)
        erase(bench.feed.definitions, "t", at_s)
        if told == "due":
            decision = bench.runner.on_due(RUN, bench.table[RUN], bench.table, NOW + 60)
        else:
            decision = bench.runner.decide(bench.command("CANCEL", {}), bench.table, NOW + 2)
        assert not any(bench.carry_out(decision).values())
        assert bench.table == {}


def test_a_start_from_before_begins_nothing() -> None:
    bench = test_runner.Bench(WAITING)
    erase(bench.feed.definitions, "t", NOW + 1)
    assert not any(bench.start().values())
    assert bench.table == {}
    # Of a run that was called by one from before.
    bench.feed.definitions.apply(WORKFLOWS, f"flow:{bench.version}", None)
    late = bench.command("START", {"inputs": {"n": 1}}, issued_at=int((NOW + 2) * 1e6))
    assert not any(bench.tell(late).values())


def test_a_tenant_that_comes_back_has_runs_again() -> None:
    bench = test_runner.Bench(WAITING)
    erase(bench.feed.definitions, "t", NOW - 1)
    bench.start()
    assert [run["status"] for run in bench.result()["runs"]] == ["SUCCEEDED"]


def test_a_cancel_that_precedes_its_start_counts_also_for_one_that_has_come_back() -> None:
    bench = test_runner.Bench(WAITING)
    erase(bench.feed.definitions, "t", NOW - 1)
    command = cancellation("called", "t", int(NOW * 1e6))
    run_id = command["workflow_run_id"]
    bench.tell(bench.record(command))
    start = bench.command("START", {"inputs": {"n": 1}}, workflow_run_id=run_id)
    assert not any(bench.tell(start).values())


def test_an_event_from_before_is_routed_nowhere() -> None:
    bench = test_router.Bench()
    for trigger_type in ("WEBHOOK", "MANUAL"):
        erase(bench.feed.definitions, DEFAULT_TENANT, test_router.NOW_US / 1e6)
        old = bench.event(trigger_type=trigger_type, at_s=-1)
        assert bench.decide(old) == ([], [])
    assert bench.table == {}
    bench.feed.workflow("2026-01-01 00:00:00.000000")
    bench.feed.trigger()
    commands, _ = bench.decide(bench.event())
    assert len(commands) == 1


def told(talk: chat.Chat, run_id: str, at_s: float) -> list[dict[str, Any]]:
    command = talk.command("again", run_id, issued_at=int(at_s * 1e6))
    return talk.tell(start_in_conversation(chat.CODEC, command, "c1"), at_s)["run.commands"]


def test_a_conversation_begins_anew() -> None:
    talk = chat.Chat(wait_s=0.0)
    talk.say("secret", "r1")
    assert any(b"secret" in row for row in talk.table.values())
    erase(talk.feed.definitions, "t", chat.NOW + 1)
    assert told(talk, "old", chat.NOW) == []
    (start,) = told(talk, "new", chat.NOW + 2)
    found = chat.payload(start)
    assert (found["system"]["dialogue_count"], found["values"]) == (1, {"conversation": {}})
    assert not any(b"secret" in row for row in talk.table.values())
    (start,) = told(talk, "next", chat.NOW + 3)
    assert chat.payload(start)["system"]["dialogue_count"] == 2
