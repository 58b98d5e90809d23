"""What must hold of the records that are there when all faults are over: the invariants of the model."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from schemas.ids import dedup_key, trigger_log_id
from streams.engine.records import LOG_STATUS
from streams.engine.state import PAUSED
from tests.model import flows
from tests.model.broker import Broker
from tests.model.flows import CODEC, FLOWS, Accepted, workflow_of

Json = dict[str, Any]

OVER = {
    "runs": {"SUCCEEDED", "FAILED", "STOPPED", "PARTIAL_SUCCEEDED"},
    "node.executions": {"succeeded", "failed", "exception", "retry", "stopped"},
    "trigger.logs": {"SUCCESS", "FAILED", "STOPPED"},
}
_SCHEMAS = {
    "runs": "WorkflowRun", "node.executions": "WorkflowNodeExecution", "trigger.logs": "WorkflowTriggerLog",
    "dead.letters": "DeadLetter", "trigger.events": "TriggerEvent",
}  # fmt: skip


class Broken(AssertionError):
    """An invariant does not hold: a counterexample."""


def holds(condition: object, what: str) -> None:
    """Raises `Broken`."""
    if not condition:
        raise Broken(what)


class History:
    """The records of a broker, as a reader finds them that folds what has the same id."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.runs = self._by_id("runs")
        self.executions = self._by_id("node.executions")
        self.logs = self._by_id("trigger.logs")

    @classmethod
    def read(cls, broker: Broker, topic: str) -> list[Json]:
        """All records of a topic."""
        return [CODEC.decode(_SCHEMAS[topic], message.value) for message in broker.topic(topic)]

    def _by_id(self, topic: str) -> dict[str, list[Json]]:
        found: dict[str, list[Json]] = defaultdict(list)
        for record in self.read(self._broker, topic):
            found[record["id"]].append(record)
        return found

    def none_is_stuck(self, *, may_be_paused: bool) -> None:
        """Runs have ended, or wait for an answer."""
        allowed = OVER["runs"] | ({PAUSED} if may_be_paused else set())
        for run_id, records in self.runs.items():
            status = latest(records)["status"]
            holds(status in allowed, f"run {run_id} is stuck {status}")

    def check(self, accepted: Iterable[Accepted], times: Iterable[int]) -> None:
        """All invariants, when everything is over. `times`: of the schedule."""
        letters = self.read(self._broker, "dead.letters")
        holds(not letters, f"dead letters: {[letter['reason'] for letter in letters]}")
        self.none_is_stuck(may_be_paused=False)
        accepted = list(accepted)
        came = Counter(event["event_id"] for event in self.read(self._broker, "trigger.events"))
        twice = {
            trigger_log_id(event_id, workflow_of(flow))
            for event_id, count in came.items()
            if count > 1
            for flow in FLOWS
        }
        _agree("run", self.runs, OVER["runs"], lambda run: (run["status"], run["outputs"]))
        _agree(
            "execution", self.executions, OVER["node.executions"], lambda one: (one["status"], one["outputs"])
        )
        # Of an event that is there twice, its log says of the second that it was a duplicate. The first
        # counts: it has the greater revisions.
        strict = {log_id: records for log_id, records in self.logs.items() if log_id not in twice}
        _agree("log", strict, OVER["trigger.logs"], _end_of_log)
        self._nodes_fit_their_runs()
        self._logs_fit_their_runs()
        self._each_event_has_one_run(accepted)
        self._each_time_has_one_run(times)
        self._nothing_else_has_run(accepted)

    def _nodes_fit_their_runs(self) -> None:
        for execution_id, records in self.executions.items():
            last = latest(records)
            status, outputs = last["status"], orjson.loads(last["outputs"] or "{}")
            holds(status in OVER["node.executions"], f"execution {execution_id} is {status} for ever")
            if last["node_type"] == "code" and status == "succeeded":
                given_by = outputs["result"].partition(" ")[0]
                holds(given_by == execution_id, f"execution {execution_id} has the result of {given_by}")

    def _logs_fit_their_runs(self) -> None:
        for run_id, records in self.runs.items():
            run = latest(records)
            log = latest(self.logs[run["trigger_log_id"]])
            expected = LOG_STATUS[run["status"]]
            holds(log["workflow_run_id"] == run_id, f"the log of run {run_id} has another run")
            holds(log["status"] == expected, f"run {run_id} is {run['status']}, its log {log['status']}")

    def _each_event_has_one_run(self, accepted: list[Accepted]) -> None:
        gathered: list[int] = []
        for run in (latest(records) for records in self.runs.values()):
            if run["workflow_id"] == flows.GATHER:
                gathered += [each["n"] for each in orjson.loads(run["inputs"])["events"]]
        expected: list[int] = []
        for event, is_first in firsts(accepted).items():
            log_id = event.log_id
            holds(log_id in self.logs, f"{event.event_id} has no log")
            log, runs = latest(self.logs[log_id]), self._runs_of(log_id)
            if not is_first:
                holds(not runs, f"the duplicate {event.event_id} has started {runs}")
                holds(log["status"] == "STOPPED", f"the duplicate {event.event_id} is {log['status']}")
            elif event.flow == flows.GATHER:
                expected.append(event.content)
                holds(log["workflow_run_id"] in self.runs, f"{event.event_id} is in no batch")
            elif event.flow in (flows.LAST, flows.FEW, flows.NEEDS, flows.REPLY) and not runs:
                self._has_a_reason(event, log, accepted)
            else:
                holds(
                    event.flow != flows.NEEDS or _near(event, flows.PURE, accepted),
                    f"{event.event_id} has not waited",
                )
                holds(len(runs) == 1, f"{event.event_id} has the runs {runs}")
        holds(sorted(gathered) == sorted(expected), f"of the batches {expected} have come {gathered}")

    def _has_a_reason(self, event: Accepted, log: Json, accepted: list[Accepted]) -> None:
        """It starts nothing, and its log says why."""
        if event.flow == flows.REPLY:
            run_id = log["workflow_run_id"]
            holds(run_id in self.runs, f"{event.event_id} is the answer of no run: {run_id}")
            holds(latest(self.runs[run_id])["workflow_id"] == flows.ASK, f"{event.event_id} answers {run_id}")
            return
        holds(log["status"] == "STOPPED", f"{event.event_id} has no run and is {log['status']}")
        others = [one for one in accepted if one.flow == event.flow and one.event_id != event.event_id]
        holds(event.flow == flows.NEEDS or others, f"{event.event_id} was in nobody's way")

    def _each_time_has_one_run(self, times: Iterable[int]) -> None:
        for at_us in times:
            key = dedup_key("SCHEDULE", flows.CLOCK, f"schedule-{flows.CLOCK}-{at_us // 1000}")
            events = {
                e["event_id"] for e in self.read(self._broker, "trigger.events") if e["dedup_key"] == key
            }
            holds(len(events) == 1, f"the schedule has fired {len(events)} events at {at_us}")
            runs = self._runs_of(trigger_log_id(events.pop(), flows.WORK))
            holds(len(runs) == 1, f"the schedule has started {runs} at {at_us}")

    def _nothing_else_has_run(self, accepted: list[Accepted]) -> None:
        known = {event.log_id for event in accepted}
        for run_id, records in self.runs.items():
            for run in records:
                log = self.logs[run["trigger_log_id"]][0]
                by_time = log["trigger_type"] == "SCHEDULE"
                holds(by_time or log["id"] in known, f"run {run_id} belongs to no event")

    def _runs_of(self, log_id: str) -> list[str]:
        return [
            run_id
            for run_id, records in self.runs.items()
            if any(run["trigger_log_id"] == log_id for run in records)
        ]


def latest(records: list[Json]) -> Json:
    """Of one id, as ReplacingMergeTree folds them: the greatest revision, and of those the last."""
    return max(enumerate(records), key=lambda entry: (entry[1]["revision"], entry[0]))[1]


def firsts(accepted: Iterable[Accepted]) -> dict[Accepted, bool]:
    """Which events are no duplicates, by the order in which they were accepted and their arrival times."""
    until: dict[str, int] = {}
    found: dict[Accepted, bool] = {}
    for event in accepted:
        if event in found:
            continue  # The same delivery once more.
        found[event] = event.received_us >= until.get(event.dedup_key, 0)
        if found[event]:
            until[event.dedup_key] = event.received_us + flows.WINDOW_S * 1_000_000
    return found


def _near(event: Accepted, flow: str, accepted: Iterable[Accepted]) -> bool:
    """Whether one of that flow belongs to the event."""
    near_us = flows.NEAR_S * 1_000_000
    return any(one.flow == flow and abs(one.received_us - event.received_us) <= near_us for one in accepted)


def _end_of_log(log: Json) -> object:
    """Whether an answer counts only its run can say, and it may say so later."""
    is_answer = "answered_pause_id" in (log["trigger_metadata"] or "")
    return None if is_answer else log["status"], log["workflow_run_id"]


def _agree(
    what: str, by_id: Mapping[str, list[Json]], over: set[str], end_of: Callable[[Json], object]
) -> None:
    """Records of one id say one end."""
    for found, records in by_id.items():
        ends = {end_of(record) for record in records if record["status"] in over}
        holds(len(ends) < 2, f"{what} {found} has ended in several ways: {sorted(map(repr, ends))}")
