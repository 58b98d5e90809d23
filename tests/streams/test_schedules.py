"""The stage of the clock, without a broker: commands and times in, events out."""

from typing import Any, cast

import orjson
import pytest
from prometheus_client import CollectorRegistry

from schemas.codec import SingleObjectCodec
from schemas.models import AppTrigger, AppTriggerStatus
from streams.metrics import ScheduleMetrics
from streams.schedules import Schedules
from streams.shell.stage import Decision, Record
from tests.streams.kept import KeptRows
from transport.feed import DefinitionsFeed

CODEC = SingleObjectCodec()
START_S = 1_800_000_000


class Feed:
    def offset(self, topic: str) -> int:
        return 5


class Clockwork:
    """The stage with its table."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.stage = Schedules(cast(DefinitionsFeed, Feed()), CODEC, ScheduleMetrics(self.registry))
        self.table = KeptRows()

    def tell(self, kind: str, payload: Any, at_s: float = 0) -> list[dict[str, Any]]:
        record = {
            "schedule_id": "s1", "kind": kind, "tenant_id": "t", "issued_at": START_S * 1_000_000,
            "payload": orjson.dumps(payload).decode(),
        }  # fmt: skip
        value = CODEC.encode("ScheduleCommand", record)
        message = Record("schedule.commands", 0, 0, b"s1", value, (), 0)
        return self.carry_out(self.stage.decide(message, self.table, START_S + at_s))

    def pass_time(self, to_s: float) -> list[dict[str, Any]]:
        return self.carry_out(self.stage.on_due("s1", self.table["s1"], self.table, START_S + to_s))

    def counted(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("hopline_schedule_firings_total", {"outcome": outcome})

    def carry_out(self, decision: Decision) -> list[dict[str, Any]]:
        for key, row in decision.writes.items():
            if row is None:
                self.table.pop(key, None)
            else:
                self.table[key] = row
        schemas = {"trigger.events": "TriggerEvent", "run.commands": "RunCommand"}
        return [CODEC.decode(schemas[send.topic], send.value or b"") for send in decision.sends]


def trigger(**changes: Any) -> dict[str, Any]:
    config = {"cron": "* * * * *", "inputs": {"n": 1}, **changes.pop("config", {})}
    fields = {"id": "s1", "app_id": "a", "workflow_id": "w", "type": "SCHEDULE", **changes}
    return AppTrigger(config=config, **fields).model_dump(mode="json")


def test_a_time_becomes_an_event_of_that_time() -> None:
    clock = Clockwork()
    clock.tell("SET", trigger(config={"timezone": "Asia/Kathmandu"}))
    [event] = clock.pass_time(60.2)
    assert event["trigger_type"] == "SCHEDULE"
    assert event["received_at"] == (START_S + 60) * 1_000_000
    assert event["trigger_id"] == f"schedule-s1-{START_S + 60}000"
    data = orjson.loads(event["data"])
    assert data["type"] == "schedule"
    assert data["inputs"] == {"n": 1}
    assert data["metadata"]["cron"] == "* * * * *"
    assert data["metadata"]["scheduled_time"] == "2027-01-15T13:46:00+05:45"
    assert clock.pass_time(60.9) == []


def test_decided_again_it_is_the_same_event() -> None:
    clock = Clockwork()
    clock.tell("SET", trigger())
    row = clock.table["s1"]
    first = clock.pass_time(60)
    clock.table["s1"] = row
    assert clock.pass_time(64) == first


def test_what_is_old_or_for_nobody_changes_nothing() -> None:
    clock = Clockwork()
    assert clock.tell("RUN_ENDED", {"workflow_run_id": "r"}) == []
    assert clock.tell("REMOVE", {}) == []
    clock.tell("SET", trigger(updated_at="2026-01-02T00:00Z"))
    row = clock.table["s1"]
    clock.tell("SET", trigger(updated_at="2026-01-01T00:00Z", status=AppTriggerStatus.PAUSED))
    assert clock.table["s1"] == row
    clock.tell("REMOVE", {})
    assert clock.table == {}


def test_what_becomes_of_its_times_is_counted() -> None:
    clock = Clockwork()
    clock.tell("SET", trigger(config={"overlap": "skip", "catch_up": "none"}))
    clock.pass_time(60.5)
    clock.pass_time(120.5)
    clock.pass_time(305)
    assert clock.counted("fired") == 1
    assert clock.counted("overlapped") == 2, "of 120 s, and of 300 s"
    assert clock.counted("missed") == 2, "of 180 s and 240 s"
    assert clock.registry.get_sample_value("hopline_schedule_late_seconds_sum") == pytest.approx(0.5)
    assert clock.registry.get_sample_value("hopline_schedule_late_seconds_count") == 1


def test_the_run_before_is_cancelled() -> None:
    clock = Clockwork()
    clock.tell("SET", trigger(config={"overlap": "cancel_other"}))
    clock.pass_time(60)
    cancel, event = clock.pass_time(120)
    assert cancel["kind"] == "CANCEL"
    assert "cancel_other" in cancel["payload"]
    assert event["received_at"] == (START_S + 120) * 1_000_000


def test_a_backfill_is_there_once() -> None:
    clock = Clockwork()
    clock.tell("SET", trigger(config={"start_at": "2020-01-01T00:00Z"}))
    span = {"backfill_id": "b", "start": (START_S - 120) * 1_000_000, "end": START_S * 1_000_000}
    clock.tell("BACKFILL", span)
    clock.tell("BACKFILL", span)
    events = clock.pass_time(1)
    assert [event["trigger_id"] for event in events] == [
        f"schedule-s1-{START_S - before}000-b" for before in (120, 60, 0)
    ]
    assert {event["received_at"] for event in events} == {START_S * 1_000_000}


def test_another_range_under_the_same_id_is_filled_as_well() -> None:
    clock = Clockwork()
    clock.tell("SET", trigger(config={"start_at": "2020-01-01T00:00Z"}))
    for minutes in (10, 5):
        at_us = (START_S - minutes * 60) * 1_000_000
        clock.tell("BACKFILL", {"backfill_id": "b", "start": at_us, "end": at_us})
    events = clock.pass_time(1) + clock.pass_time(1)
    assert [event["trigger_id"] for event in events] == [
        f"schedule-s1-{START_S - minutes * 60}000-b" for minutes in (10, 5)
    ]


def test_an_unknown_kind_is_a_fault() -> None:
    clock = Clockwork()
    clock.tell("SET", trigger())
    with pytest.raises(ValueError, match="unknown kind of schedule command UNKNOWN"):
        clock.tell("UNKNOWN", {})
