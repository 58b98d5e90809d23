"""A schedule whose run fails and starts again: what its overlap policy sees of it, through all stages."""

from typing import Any, cast

import pytest
from obstore.store import MemoryStore
from prometheus_client import CollectorRegistry

from schemas.models import AppTrigger, Workflow, WorkflowType
from streams.engine.options import DEFAULTS
from streams.fetching import Fetcher
from streams.gates.stage import Gates
from streams.metrics import ScheduleMetrics
from streams.offload import Offload
from streams.router import Router
from streams.runner import Runner
from streams.schedules import Schedules
from streams.shell.stage import Decision, Record, Stage
from tests.streams.kept import KeptRows
from tests.streams.test_router import CODEC, Feed
from tests.streams.test_whole_runs import BEFORE, FAILING
from transport.definitions import TRIGGERS, WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.storage import Storage
from transport.values import ValueStore

START_S = 1_800_000_000
MINUTE = 60


class Chain:
    """Four stages, one partition each, and a schedule that starts every minute what fails at once."""

    def __init__(self, overlap: str, retry: dict[str, Any] | None) -> None:
        feed, offload = cast(DefinitionsFeed, Feed()), Offload()
        fetcher = Fetcher(ValueStore(Storage(MemoryStore())))
        runner = Runner(
            feed,
            CODEC,
            DEFAULTS,
            3600.0,
            lambda *_: None,
            fetcher=fetcher,
            offload=offload,
            ended=lambda _: None,
        )
        stages = (
            Schedules(feed, CODEC, ScheduleMetrics(CollectorRegistry())).stage(),
            Router(feed, CODEC, lambda _: None, offload, runner.run_whole).stage(),
            Gates(CODEC, fetcher).stage(),
            runner.stage(),
        )
        self.stages: dict[str, tuple[Stage, KeptRows]] = {one.source: (one, KeptRows()) for one in stages}
        self.now = float(START_S)
        self.runs: list[tuple[float, str]] = []
        """Minute and status of each run."""
        self.refused: list[float] = []
        self._offset = 0
        flow = {"id": "flow", "app_id": "app", "type": WorkflowType.WORKFLOW, "graph": FAILING}
        workflow = Workflow.model_validate({**flow, "version": "1970-01-01", "updated_at": BEFORE})
        feed.definitions.apply(WORKFLOWS, workflow.key, workflow)
        config = {"cron": "* * * * *", "overlap": overlap, **({"retry": retry} if retry else {})}
        trigger = AppTrigger(id="clock", app_id="app", workflow_id="flow", type="SCHEDULE", config=config)
        feed.definitions.apply(TRIGGERS, trigger.key, trigger)
        command = {
            "schedule_id": "clock", "kind": "SET", "tenant_id": trigger.tenant_id,
            "issued_at": START_S * 10**6, "payload": trigger.model_dump_json(),
        }  # fmt: skip
        self._deliver(Send("schedule.commands", b"clock", CODEC.encode("ScheduleCommand", command)))

    def pass_minutes(self, minutes: int) -> None:
        """Row by row, each when it is due."""
        for second in range(minutes * MINUTE):
            self.now = max(self.now, START_S + second + 0.001) + 1
            for stage, rows in self.stages.values():
                for key, row in list(rows.items()):
                    due = stage.due(key, row) if stage.due else None
                    if due is not None and due <= self.now and key in rows:
                        assert stage.on_due is not None
                        self._carry_out(stage.on_due(key, rows[key], rows, self.now), rows)

    def _deliver(self, send: Send) -> None:
        if send.topic in self.stages:
            stage, rows = self.stages[send.topic]
            self._offset += 1
            record = Record(
                send.topic, 0, self._offset, send.key, send.value, send.headers, round(self.now * 1000)
            )
            self._carry_out(stage.decide(record, rows, self.now), rows)
            return
        minute = (self.now - START_S) // MINUTE
        if send.topic == "runs":
            run = CODEC.decode("WorkflowRun", send.value)
            if run["finished_at"] is not None:
                self.runs.append((minute, run["status"]))
        elif send.topic == "trigger.logs":
            log = CODEC.decode("WorkflowTriggerLog", send.value)
            if log["status"] == "STOPPED":
                assert "still going (overlap: skip)" in log["error"]
                self.refused.append(minute)

    def _carry_out(self, decision: Decision, rows: KeptRows) -> None:
        for key, value in decision.writes.items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        for send in decision.sends:
            self._deliver(send)


RETRY = {"max_retries": 2, "delay_s": 90, "jitter": 0}
"""At 2:30 and at 5:30."""


@pytest.mark.parametrize(
    ("retry", "begun", "refused"),
    [(RETRY, [1, 2, 5, 6], [2, 3, 4, 5]), (None, [1, 2, 3, 4, 5, 6], [])],
)
def test_a_run_goes_on_until_its_last_retry_has_ended(
    retry: dict[str, Any] | None, begun: list[float], refused: list[float]
) -> None:
    chain = Chain("skip", retry)
    chain.pass_minutes(6)
    assert chain.runs == [(minute, "FAILED") for minute in begun]
    assert chain.refused == refused
