"""Runs that end in the hop they begin in: what the first stage tells of them, and what it leaves to a
command."""

import zlib
from typing import Any, cast

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.models import AppTrigger, Workflow, WorkflowType
from streams.engine.options import DEFAULTS, Options
from streams.fetching import Fetcher
from streams.offload import Offload
from streams.router import Router
from streams.runner import Runner
from streams.shell.stage import Decision, Record
from tests.streams.test_router import CODEC, HOOK, NOW_US
from tests.streams.test_router import Bench as RouterBench
from tests.streams.test_runner import PURE, WAITING, edge, node
from transport.definitions import TRIGGERS, WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.storage import Storage
from transport.values import ValueStore

BEFORE, AFTER = "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z"
"""The event, which is of January 12th, 1970."""
SCHEMAS = {
    "trigger.logs": "WorkflowTriggerLog",
    "runs": "WorkflowRun",
    "node.executions": "WorkflowNodeExecution",
    "run.commands": "RunCommand",
    "gate.commands": "GateCommand",
}
FAILING = {
    "nodes": [
        node("start", "start", variables=[]),
        node("text", "template-transform", template="{{ 1 / 0 }}", variables=[]),
        node("end", "end", outputs=[]),
    ],
    "edges": [edge("start", "text"), edge("text", "end")],
}

Told = dict[str, list[dict[str, Any]]]


class Bench(RouterBench):
    """The first stage, with the second behind it."""

    def __init__(
        self,
        graph: dict[str, Any] = PURE,
        published: str = BEFORE,
        options: Options = DEFAULTS,
        **trigger: Any,
    ) -> None:
        super().__init__()
        self.commands: list[tuple[str, str]] = []
        self.ended: list[str] = []
        feed, offload = cast(DefinitionsFeed, self.feed), Offload()
        self.runner = Runner(
            feed,
            CODEC,
            options,
            3600.0,
            lambda *told: self.commands.append(told),
            fetcher=Fetcher(ValueStore(Storage(MemoryStore()))),
            offload=offload,
            ended=self.ended.append,
        )
        self.router = Router(feed, CODEC, self.outcomes.append, offload, self.runner.run_whole)
        workflow = {"id": "flow", "app_id": "app", "type": WorkflowType.WORKFLOW, "graph": graph}
        version = {"version": "1970-01-01 00:00:00.000000", "updated_at": published}
        found = Workflow.model_validate({**workflow, **version})
        self.feed.definitions.apply(WORKFLOWS, found.key, found)
        config = {"webhook_id": HOOK, **trigger}
        leads = AppTrigger(id="trigger", app_id="app", workflow_id="flow", type="WEBHOOK", config=config)
        self.feed.definitions.apply(TRIGGERS, leads.key, leads)

    def tell(self, event: Record | None = None) -> Told:
        """What comes of an event, by topic, carried out."""
        decision = self.router.decide(event or self.event(), self.table, NOW_US / 1e6)
        self.table |= {key: row for key, row in decision.writes.items() if row is not None}
        return told(decision)


def told(decision: Decision) -> Told:
    sent: Told = {topic: [] for topic in SCHEMAS}
    for send in decision.sends:
        sent[send.topic].append(CODEC.decode(SCHEMAS[send.topic], send.value))
    return sent


def topics(sent: Told) -> set[str]:
    return {topic for topic, records in sent.items() if records}


def test_a_run_without_waiting_is_told_whole_where_its_event_is_routed() -> None:
    bench = Bench()
    sent = bench.tell()
    [run], [log] = sent["runs"], sent["trigger.logs"]
    assert (run["status"], log["status"], log["workflow_run_id"]) == ("SUCCEEDED", "SUCCESS", run["id"])
    assert [execution["node_id"] for execution in sent["node.executions"]] == ["start", "end"]
    assert not sent["run.commands"]
    assert bench.commands == [("START", "applied")]
    assert bench.ended == ["SUCCEEDED"]


def test_what_is_packed_is_opened_for_the_first_run_and_for_none_after_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.tell()
    monkeypatch.setattr(zlib, "decompress", lambda *_: pytest.fail("opened"))
    assert bench.tell(bench.event("d2"))["runs"][0]["status"] == "SUCCEEDED"


@pytest.mark.parametrize("graph", [PURE, FAILING])
def test_it_is_told_as_it_would_be_after_a_command(graph: dict[str, Any]) -> None:
    whole = Bench(graph).tell()
    bench = Bench(graph, AFTER)
    pending = bench.tell()
    [command] = pending["run.commands"]
    value = CODEC.encode("RunCommand", command)
    record = Record("run.commands", 0, 0, command["workflow_run_id"].encode(), value, (), 0)
    later = told(bench.runner.decide(record, cast(Any, {}), NOW_US / 1e6))
    assert topics(pending) == {"trigger.logs", "run.commands"}
    assert {topic: whole[topic] for topic in topics(whole)} == {
        topic: later[topic] for topic in topics(later)
    }


def test_decided_again_after_a_crash_it_gives_the_same_records_again() -> None:
    bench = Bench()
    event = bench.event()
    assert bench.tell(event) == bench.tell(event)


def test_a_duplicate_runs_nothing() -> None:
    bench = Bench()
    bench.tell(bench.event("d"))
    sent = bench.tell(bench.event("d"))
    assert topics(sent) == {"trigger.logs"}
    assert "duplicate" in sent["trigger.logs"][0]["error"]


@pytest.mark.parametrize(
    ("graph", "published", "options", "trigger"),
    [
        pytest.param(WAITING, BEFORE, DEFAULTS, {}, id="a node that does I/O"),
        pytest.param(PURE, BEFORE, Options(every_node_a_hop=True), {}, id="every node a hop"),
        pytest.param(PURE, AFTER, DEFAULTS, {}, id="published after the event"),
    ],
)
def test_any_other_run_is_told_by_a_command(
    graph: dict[str, Any], published: str, options: Options, trigger: dict[str, Any]
) -> None:
    bench = Bench(graph, published, options, **trigger)
    sent = bench.tell()
    assert topics(sent) == {"trigger.logs", "run.commands"}
    assert sent["trigger.logs"][0]["status"] == "PENDING"
    assert bench.commands == []


def test_a_run_that_may_be_retried_passes_its_gate() -> None:
    sent = Bench(retry={"max_retries": 3}).tell()
    assert topics(sent) == {"trigger.logs", "gate.commands"}


def test_a_graph_that_is_not_taken_any_more_blames_the_command_and_not_the_event() -> None:
    bench = Bench({"nodes": [node("start", "start", variables=[]), node("x", "no-such-type")], "edges": []})
    assert topics(bench.tell()) == {"trigger.logs", "run.commands"}


def test_the_draft_is_told_by_a_command_since_it_may_change() -> None:
    bench = Bench()
    draft = Workflow(id="flow", app_id="app", type=WorkflowType.WORKFLOW, version="draft", graph=PURE)
    bench.feed.definitions.apply(WORKFLOWS, draft.key, draft)
    data = orjson.dumps({"metadata": {"version": "draft"}, "body": {}}).decode()
    event = bench.event(trigger_type="MANUAL", index_key="flow", data=data)
    assert topics(bench.tell(event)) == {"trigger.logs", "run.commands"}
