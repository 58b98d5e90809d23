"""The first stage, whole, without a broker: records in, decisions out."""

import asyncio
from typing import Any, cast

import orjson
import pytest

from schemas.codec import SingleObjectCodec
from schemas.errors import UndecodableValue
from schemas.ids import dedup_key, workflow_run_id
from schemas.models import (
    DEFAULT_TENANT,
    AppTrigger,
    AppTriggerStatus,
    DeploymentStatus,
    Workflow,
    WorkflowType,
)
from streams.errors import Unroutable
from streams.offload import Offload
from streams.router import Router
from streams.shell.stage import Decision, NotYet, Record
from tests.streams.kept import KeptRows
from transport.definitions import TRIGGERS, WORKFLOWS, Definitions
from transport.feed import DefinitionsFeed

CODEC = SingleObjectCodec()
HOOK = "h" * 24
NOW_US = 1_000_000_000_000
GRAPH = {"nodes": [{"id": "s", "data": {"type": "start", "variables": [{"variable": "n"}]}}], "edges": []}


class Feed:
    """The definitions of a test, and how far they have been read."""

    def __init__(self) -> None:
        self.definitions = Definitions()
        self.read = 10
        self.waited: list[tuple[str, int]] = []

    def offset(self, topic: str) -> int:
        return self.read

    async def reach(self, topic: str, offset: int) -> None:
        self.waited.append((topic, offset))

    def workflow(self, version: str) -> None:
        workflow = Workflow(id="flow", app_id="app", type=WorkflowType.WORKFLOW, version=version, graph=GRAPH)
        self.definitions.apply(WORKFLOWS, workflow.key, workflow)

    def trigger(self, **changes: Any) -> None:
        trigger = AppTrigger(
            id="trigger", app_id="app", workflow_id="flow", type="WEBHOOK",
            **{"config": {"webhook_id": HOOK}, **changes},
        )  # fmt: skip
        self.definitions.apply(TRIGGERS, trigger.key, trigger)


def told_by_command(*_: Any) -> None:
    """As for runs that need more than one hop."""


class Bench:
    """A router with its table, driven record by record."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.table = KeptRows()
        self.outcomes: list[str] = []
        self.router = Router(
            cast(DefinitionsFeed, self.feed), CODEC, self.outcomes.append, Offload(), told_by_command
        )
        self.next_offset = 0

    def event(self, trigger_id: str = "d1", *, at_s: float = 0, **changes: Any) -> Record:
        data = {"type": "webhook", "body": {"n": 1}, "query": {}, "metadata": {"webhook_id": HOOK}}
        record = {
            "event_id": f"e{self.next_offset}", "trigger_id": trigger_id,
            "dedup_key": dedup_key("WEBHOOK", HOOK, trigger_id), "dedup_window_ms": 30_000,
            "tenant_id": DEFAULT_TENANT, "trigger_type": "WEBHOOK", "index_key": HOOK,
            "received_at": NOW_US + int(at_s * 1e6), "data": orjson.dumps(data).decode(), **changes,
        }  # fmt: skip
        return self.record(CODEC.encode("TriggerEvent", record))

    def record(self, value: bytes | None) -> Record:
        self.next_offset += 1
        return Record("trigger.events", 3, self.next_offset - 1, b"k", value, [("traceparent", b"00-a")], 0)

    def decide(self, record: Record, at_s: float = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """(commands, logs) after the decision has been carried out."""
        decision = self.router.decide(record, self.table, NOW_US / 1e6 + at_s)
        return self.carry_out(decision)

    def carry_out(self, decision: Decision) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        for key, value in decision.writes.items():
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value
        commands = [CODEC.decode("RunCommand", s.value) for s in decision.sends if s.topic == "run.commands"]
        logs = [
            CODEC.decode("WorkflowTriggerLog", s.value) for s in decision.sends if s.topic == "trigger.logs"
        ]
        return commands, logs


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.feed.workflow("2026-01-01 00:00:00.000000")
    made.feed.trigger()
    return made


def test_an_event_starts_the_latest_version_and_leaves_a_pending_log(bench: Bench) -> None:
    bench.feed.workflow("2026-01-02 00:00:00.000000")
    bench.feed.workflow("draft")
    commands, logs = bench.decide(bench.event())
    [command], [log] = commands, logs
    assert command["version"] == "2026-01-02 00:00:00.000000"
    assert command["workflow_run_id"] == workflow_run_id(f"WEBHOOK:{HOOK}:d1", NOW_US, "flow")
    assert command["trigger_log"] == log
    assert (log["status"], log["inputs"], log["task_id"]) == ("PENDING", '{"n":1}', "trigger.events/3/0")


def test_the_trace_goes_on(bench: Bench) -> None:
    decision = bench.router.decide(bench.event(), bench.table, NOW_US / 1e6)
    assert all(send.headers == (("traceparent", b"00-a"),) for send in decision.sends)


def test_a_duplicate_starts_nothing_and_says_of_what(bench: Bench) -> None:
    bench.decide(bench.event())
    commands, [log] = bench.decide(bench.event(at_s=29))
    assert commands == []
    assert log["status"] == "STOPPED"
    assert log["error"] == "duplicate of the event at trigger.events/3/0"
    assert bench.outcomes == ["routed", "duplicate"]


def test_the_same_again_after_its_window_is_a_new_run(bench: Bench) -> None:
    [first], _ = bench.decide(bench.event())
    [second], _ = bench.decide(bench.event(at_s=31), at_s=31)
    assert first["workflow_run_id"] != second["workflow_run_id"]


def test_a_replay_after_a_crash_gives_the_same_command_again(bench: Bench) -> None:
    record = bench.event()
    first, _ = bench.decide(record)
    again, _ = bench.decide(record, at_s=5)
    assert [c["workflow_run_id"] for c in again] == [c["workflow_run_id"] for c in first]


def test_a_replay_of_what_came_before_the_last_new_run_says_the_same_again(bench: Bench) -> None:
    records = [bench.event(at_s=at_s) for at_s in (0, 29, 31, 60)]
    first = [bench.decide(record, at_s=70) for record in records]
    again = [bench.decide(record, at_s=75) for record in records]
    assert [len(commands) for commands, _ in first] == [1, 0, 1, 0]
    assert [[log["error"] for log in logs] for _, logs in again] == [
        [log["error"] for log in logs] for _, logs in first
    ]
    assert [[run["workflow_run_id"] for run in runs] for runs, _ in again] == [
        [run["workflow_run_id"] for run in runs] for runs, _ in first
    ]
    # What is late postpones both rows; in the end they go.
    for key in list(bench.table):
        bench.carry_out(bench.router.expire(key, bench.table[key], bench.table, NOW_US / 1e6 + 200))
    assert bench.table == {}


def test_while_events_are_late_no_row_goes(bench: Bench) -> None:
    """The last one was on time; offsets of those before it may not be committed yet."""
    bench.decide(bench.event(), at_s=0)
    bench.decide(bench.event(at_s=25), at_s=50)
    bench.decide(bench.event("d2", at_s=50), at_s=50)
    [key] = [key for key in bench.table if key.endswith("d1")]
    bench.carry_out(bench.router.expire(key, bench.table[key], bench.table, NOW_US / 1e6 + 50))
    assert key in bench.table
    bench.carry_out(bench.router.expire(key, bench.table[key], bench.table, NOW_US / 1e6 + 75))
    assert key not in bench.table


async def test_it_is_late_while_it_waits(bench: Bench) -> None:
    """For a definition: duplicates may be behind the event."""
    bench.decide(bench.event(), at_s=0)
    with pytest.raises(NotYet):
        bench.decide(bench.event("d2", at_s=10, workflows_offset=99), at_s=50)
    [key] = bench.table
    bench.carry_out(bench.router.expire(key, bench.table[key], bench.table, NOW_US / 1e6 + 50))
    assert key in bench.table


def test_without_a_window_nothing_is_a_duplicate_and_nothing_is_kept(bench: Bench) -> None:
    for _ in range(2):
        commands, _ = bench.decide(bench.event(dedup_window_ms=0))
        assert len(commands) == 1
    assert bench.table == {}


def test_a_paused_trigger_ignores_the_event_and_says_so(bench: Bench) -> None:
    bench.feed.trigger(status=AppTriggerStatus.PAUSED)
    commands, [log] = bench.decide(bench.event())
    assert commands == []
    assert (log["status"], log["error"]) == ("STOPPED", "the trigger is paused")


def test_a_workflow_without_a_published_version_is_said_in_the_log() -> None:
    bench = Bench()
    bench.feed.workflow("draft")
    bench.feed.trigger()
    commands, [log] = bench.decide(bench.event())
    assert commands == []
    assert log["error"] == "workflow flow has no published version"


def test_an_event_that_no_trigger_looks_at_leaves_a_log(bench: Bench) -> None:
    commands, [log] = bench.decide(bench.event(index_key="other"))
    assert commands == []
    assert (log["status"], log["workflow_id"], log["app_trigger_id"]) == ("STOPPED", None, None)
    assert log["error"] == "no trigger of type WEBHOOK has index key 'other'"


def test_an_event_of_one_tenant_does_not_reach_the_triggers_of_another(bench: Bench) -> None:
    commands, [log] = bench.decide(bench.event(tenant_id="another"))
    assert commands == []
    assert log["tenant_id"] == "another"


def test_a_trigger_that_is_not_deployed_looks_at_nothing(bench: Bench) -> None:
    bench.feed.trigger(deployment_status=DeploymentStatus.UNDEPLOYED)
    commands, [log] = bench.decide(bench.event())
    assert (commands, log["status"], log["workflow_id"]) == ([], "STOPPED", None)
    assert log["error"] == f"the trigger trigger of type WEBHOOK has index key {HOOK!r}, but is not deployed"


def test_a_manual_start_of_a_workflow_that_there_is_not_is_refused(bench: Bench) -> None:
    with pytest.raises(Unroutable, match="workflow 'other' is unknown"):
        bench.decide(bench.event(trigger_type="MANUAL", index_key="other"))


def test_bytes_that_are_no_event_are_refused(bench: Bench) -> None:
    with pytest.raises(UndecodableValue):
        bench.decide(bench.record(b"not avro"))


def test_a_manual_start_may_run_the_draft(bench: Bench) -> None:
    bench.feed.workflow("draft")
    data = orjson.dumps({"type": "manual", "inputs": {"n": 5}, "metadata": {"draft": True}}).decode()
    event = bench.event(trigger_type="MANUAL", index_key="flow", data=data, created_by="ada")
    [command], [log] = bench.decide(event)
    assert command["version"] == "draft"
    assert orjson.loads(command["payload"]) == {
        "inputs": {"n": 5}, "triggered_from": "debugging", "system": {"user_id": "ada"},
    }  # fmt: skip
    assert log["trigger_type"] == "MANUAL"


def test_a_manual_start_may_name_its_version(bench: Bench) -> None:
    bench.feed.workflow("2026-01-02 00:00:00.000000")
    metadata = {"version": "2026-01-01 00:00:00.000000"}
    data = orjson.dumps({"type": "manual", "inputs": {"n": 5}, "metadata": metadata}).decode()
    [command], _ = bench.decide(bench.event(trigger_type="MANUAL", index_key="flow", data=data))
    assert command["version"] == metadata["version"]
    assert orjson.loads(command["payload"])["triggered_from"] == "app-run"


async def test_it_waits_until_it_knows_what_the_door_knew(bench: Bench) -> None:
    with pytest.raises(NotYet) as raised:
        bench.decide(bench.event(triggers_offset=11))
    await asyncio.wait_for(raised.value.wait(), 1)
    assert bench.feed.waited == [(TRIGGERS, 11)]


def test_a_day_of_events_leaves_no_more_rows_than_a_window(bench: Bench) -> None:
    """One event a second for a day; rows are looked at when they are due, as the shell does."""
    most = 0
    for second in range(0, 86_400, 10):
        bench.decide(bench.event(f"id-{second}", at_s=second), at_s=second)
        for key, row in list(bench.table.items()):
            if bench.router.stage().due(key, row) <= NOW_US / 1e6 + second:  # type: ignore[misc,operator]
                bench.carry_out(bench.router.expire(key, row, bench.table, NOW_US / 1e6 + second))
        most = max(most, len(bench.table))
    assert most == 4


def scheduled(bench: Bench, **metadata: Any) -> Record:
    """The event of a schedule, as the stage of the clock makes it."""
    trigger = AppTrigger(
        id="clock", app_id="app", workflow_id="flow", type="SCHEDULE", config={"interval_s": 60}
    )
    bench.feed.definitions.apply(TRIGGERS, trigger.key, trigger)
    data = orjson.dumps({"type": "schedule", "metadata": metadata, "inputs": {"n": 1}}).decode()
    return bench.event("schedule-clock-60000", trigger_type="SCHEDULE", index_key="clock", data=data)


def ended_runs(decision: Decision) -> list[str]:
    """Runs that their schedule is told of."""
    told = [
        CODEC.decode("ScheduleCommand", s.value) for s in decision.sends if s.topic == "schedule.commands"
    ]
    assert all((one["schedule_id"], one["kind"]) == ("clock", "RUN_ENDED") for one in told)
    return [orjson.loads(one["payload"])["workflow_run_id"] for one in told]


def test_a_schedule_goes_to_the_queue_of_what_is_urgent(bench: Bench) -> None:
    [command], [log] = bench.decide(scheduled(bench))
    assert log["queue_name"] == "high_priority"
    assert orjson.loads(command["payload"])["inputs"] == {"n": 1}


def test_a_time_that_starts_nothing_is_logged_and_its_schedule_told(bench: Bench) -> None:
    record = scheduled(bench, refusal="missed by 90 s (catch_up: none)")
    decision = bench.router.decide(record, bench.table, NOW_US / 1e6)
    commands, [log] = bench.carry_out(decision)
    assert commands == []
    assert (log["status"], log["error"]) == ("STOPPED", "missed by 90 s (catch_up: none)")
    event = CODEC.decode("TriggerEvent", record.value)
    assert ended_runs(decision) == [workflow_run_id(event["dedup_key"], event["received_at"], "flow")]


def test_a_schedule_that_is_fired_twice_is_not_told_that_its_run_is_over(bench: Bench) -> None:
    bench.decide(scheduled(bench))
    decision = bench.router.decide(scheduled(bench), bench.table, NOW_US / 1e6)
    assert ended_runs(decision) == []
