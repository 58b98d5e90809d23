"""The second stage, whole, without a broker: commands in, records and rows out."""

from typing import Any, cast

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.ids import canonical_json, node_execution_id
from schemas.models import Workflow, WorkflowType
from streams.engine.options import Options
from streams.errors import UnknownVersion
from streams.fetching import Fetcher
from streams.offload import Offload
from streams.run_rows import RunRow, row_due
from streams.runner import Runner
from streams.shell.stage import NotYet, Record
from tests.sinks.records import trigger_log
from tests.streams.kept import KeptRows
from transport.definitions import WORKFLOWS, Definitions
from transport.feed import DefinitionsFeed
from transport.storage import Storage
from transport.values import ValueStore

CODEC = SingleObjectCodec()
NOW = 4_000_000_000.0
VERSION = "2026-01-01 00:00:00.000000"
RUN = "0d6f2b7c-6a4e-5b1d-8c3f-9e0a1b2c3d4e"


def node(node_id: str, node_type: str, **data: Any) -> dict[str, Any]:
    return {"id": node_id, "data": {"type": node_type, "title": node_id, **data}}


def edge(source: str, target: str, handle: str = "source") -> dict[str, Any]:
    return {"id": f"{source}-{target}", "source": source, "target": target, "sourceHandle": handle}


START = node(
    "start", "start", variables=[{"variable": "n", "label": "n", "type": "number", "required": True}]
)
END = node("end", "end", outputs=[{"variable": "n", "value_selector": ["start", "n"]}])
PURE = {"nodes": [START, END], "edges": [edge("start", "end")]}
CODE = node(
    "code", "code", code_language="python3", code="def main(n):\n    return {'m': n + 1}",
    variables=[{"variable": "n", "value_selector": ["start", "n"]}], outputs={"m": {"type": "number"}},
)  # fmt: skip
WAITING = {
    "nodes": [START, CODE, node("end", "end", outputs=[{"variable": "m", "value_selector": ["code", "m"]}])],
    "edges": [edge("start", "code"), edge("code", "end")],
}


class Feed:
    """The definitions of a test."""

    def __init__(self) -> None:
        self.definitions = Definitions()

    def offset(self, topic: str) -> int:
        return 10

    async def reach(self, topic: str, offset: int) -> None:
        raise AssertionError("nobody waits here")


class Bench:
    """A runner with its table, driven command by command."""

    def __init__(self, graph: dict[str, Any], version: str = VERSION) -> None:
        self.feed = Feed()
        self.version = version
        self.change(graph)
        self.table = KeptRows()
        self.outcomes: list[tuple[str, str]] = []
        self.ended: list[str] = []
        self.runner = Runner(
            cast(DefinitionsFeed, self.feed),
            CODEC,
            Options(),
            3600.0,
            lambda *o: self.outcomes.append(o),
            fetcher=Fetcher(ValueStore(Storage(MemoryStore()))),
            offload=Offload(),
            ended=self.ended.append,
        )

    def change(self, graph: dict[str, Any]) -> None:
        workflow = Workflow(
            id="flow", app_id="app", type=WorkflowType.WORKFLOW, version=self.version, graph=graph
        )
        self.feed.definitions.apply(WORKFLOWS, workflow.key, workflow)

    def command(self, kind: str, payload: dict[str, Any], **changes: Any) -> Record:
        record = {
            "command_id": f"{kind}/1", "kind": kind, "workflow_run_id": RUN, "tenant_id": "t",
            "app_id": "app", "workflow_id": "flow", "version": self.version, "issued_at": int(NOW * 1e6),
            "payload": orjson.dumps(payload).decode(), **changes,
        }  # fmt: skip
        return self.record(record)

    def start(self, now: float = NOW) -> dict[str, list[dict[str, Any]]]:
        return self.tell(self.command("START", {"inputs": {"n": 1}}), now)

    def result(self, now: float = NOW) -> dict[str, list[dict[str, Any]]]:
        payload = {
            "node_execution_id": node_execution_id(RUN, "code"),
            "status": "succeeded",
            "outputs": {"m": 2},
        }
        return self.tell(self.command("NODE_RESULT", payload), now)

    def tell(self, record: Record, now: float = NOW) -> dict[str, list[dict[str, Any]]]:
        return self.carry_out(self.runner.decide(record, self.table, now))

    def serve(self, now: float) -> dict[str, list[dict[str, Any]]]:
        """The row of the run is due, and the run is told so."""
        [told] = self.carry_out(self.runner.on_due(RUN, self.table[RUN], self.table, now))["run.commands"]
        return self.tell(self.record(told), now + 30)

    @staticmethod
    def record(command: dict[str, Any]) -> Record:
        return Record("run.commands", 0, 0, RUN.encode(), CODEC.encode("RunCommand", command), (), 0)

    def carry_out(self, decision: Any) -> dict[str, list[dict[str, Any]]]:
        schemas = {
            "runs": "WorkflowRun", "node.executions": "WorkflowNodeExecution",
            "node.tasks.default": "NodeTask", "node.cancellations": "NodeCancellation",
            "gate.commands": "GateCommand", "run.commands": "RunCommand",
            "trigger.logs": "WorkflowTriggerLog",
        }  # fmt: skip
        for key, value in decision.writes.items():
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value
        sent: dict[str, list[dict[str, Any]]] = {topic: [] for topic in schemas}
        for send in decision.sends:
            sent[send.topic].append(CODEC.decode(schemas[send.topic], send.value))
        return sent


def test_a_run_that_ends_in_its_first_hop_leaves_no_row() -> None:
    bench = Bench(PURE)
    sent = bench.start()
    [run] = sent["runs"]
    assert (run["status"], run["outputs"], run["total_steps"]) == ("SUCCEEDED", '{"n":1}', 2)
    assert [n["node_id"] for n in sent["node.executions"]] == ["start", "end"]
    assert bench.table == {}


def test_told_again_it_gives_the_same_records_again() -> None:
    bench = Bench(PURE)
    first, again = bench.start(), bench.start()
    assert first == again


def test_a_run_that_waits_has_a_row_until_its_result_comes() -> None:
    bench = Bench(WAITING)
    sent = bench.start()
    assert [t["node_id"] for t in sent["node.tasks.default"]] == ["code"]
    assert row_due(RUN, bench.table[RUN]) == NOW + 1200
    [run] = bench.result()["runs"]
    assert (run["status"], run["outputs"]) == ("SUCCEEDED", '{"m":2}')


def test_a_late_or_repeated_command_of_a_finished_run_changes_nothing() -> None:
    bench = Bench(WAITING)
    bench.start()
    assert bench.ended == []
    bench.result()
    row = bench.table[RUN]
    for again in (bench.start, bench.result):
        assert not any(again().values())
    assert bench.table[RUN] == row
    assert bench.outcomes[-2:] == [("START", "stale"), ("NODE_RESULT", "stale")]
    assert bench.ended == ["SUCCEEDED"]


def test_a_result_for_a_run_that_nobody_knows_is_stale() -> None:
    bench = Bench(WAITING)
    assert not any(bench.result().values())
    assert bench.outcomes == [("NODE_RESULT", "stale")]


def test_a_finished_run_is_forgotten_in_time() -> None:
    bench = Bench(WAITING)
    bench.start()
    bench.result()
    assert row_due(RUN, bench.table[RUN]) == NOW + 3600
    bench.carry_out(bench.runner.on_due(RUN, bench.table[RUN], bench.table, NOW + 3600))
    assert bench.table == {}


def test_a_finished_run_is_not_forgotten_right_after_an_outage() -> None:
    """The stage before repeats the starts that it had sent, and only now."""
    bench = Bench(WAITING)
    bench.start()
    bench.result()
    bench.carry_out(bench.runner.on_due(RUN, bench.table[RUN], bench.table, NOW + 9000))
    assert not any(bench.start(NOW + 9000).values())
    assert row_due(RUN, bench.table[RUN]) == NOW + 9600
    bench.carry_out(bench.runner.on_due(RUN, bench.table[RUN], bench.table, NOW + 9600))
    assert bench.table == {}


def test_a_run_whose_time_is_up_fails_and_says_so() -> None:
    bench = Bench(WAITING)
    bench.start()
    sent = bench.serve(NOW + 1200)
    [run] = sent["runs"]
    assert run["status"] == "FAILED"
    assert "1200 s" in run["error"]


def test_that_the_time_is_up_is_a_command_in_its_place_among_the_others() -> None:
    """Whoever decides them again after a crash has to find the same order, whatever is due by then."""
    bench = Bench(WAITING)
    bench.start()
    due = bench.runner.on_due(RUN, bench.table[RUN], bench.table, NOW + 1200)
    assert [send.topic for send in due.sends] == ["run.commands"]
    [told] = bench.carry_out(due)["run.commands"]
    assert (due.writes, due.again_s) == ({}, 60)
    row = bench.table[RUN]
    assert [run["status"] for run in bench.result(NOW + 1201)["runs"]] == ["SUCCEEDED"]
    assert not any(bench.tell(bench.record(told), NOW + 1202).values())
    bench.table[RUN] = row
    [run] = bench.tell(bench.record(told), NOW + 1202)["runs"]
    assert (run["status"], run["finished_at"]) == ("FAILED", int((NOW + 1200) * 1e6))


def test_a_result_that_came_in_time_is_in_time_whenever_it_is_looked_at() -> None:
    bench = Bench(WAITING)
    bench.start()
    assert [run["status"] for run in bench.result(NOW + 5000)["runs"]] == ["SUCCEEDED"]


def test_a_result_that_came_too_late_fails_the_run() -> None:
    bench = Bench(WAITING)
    bench.start()
    payload = {
        "node_execution_id": node_execution_id(RUN, "code"),
        "status": "succeeded",
        "outputs": {"m": 2},
    }
    record = bench.command("NODE_RESULT", payload)
    record.timestamp_ms = int((NOW + 1201) * 1000)
    [run] = bench.tell(record, NOW + 1201)["runs"]
    assert (run["status"], run["error"]) == ("FAILED", "maximum execution time exceeded: 1200 s")


def test_a_cancelled_run_is_stopped() -> None:
    bench = Bench(WAITING)
    bench.start()
    [run] = bench.tell(bench.command("CANCEL", {"reason": "by ada"}))["runs"]
    assert (run["status"], run["error"]) == ("STOPPED", "by ada")


def test_a_run_of_the_draft_goes_on_with_the_graph_it_began_with() -> None:
    bench = Bench(WAITING, version="draft")
    bench.start()
    bench.change(PURE)
    [run] = bench.result()["runs"]
    assert (run["status"], run["outputs"]) == ("SUCCEEDED", '{"m":2}')


def test_a_record_of_the_draft_has_the_graph_that_the_run_began_with() -> None:
    bench = Bench(WAITING, version="draft")
    [begun] = bench.start()["runs"]
    bench.change(PURE)
    [ended] = bench.result()["runs"]
    assert begun["graph"] == ended["graph"] == canonical_json(WAITING).decode()
    [published] = Bench(PURE).start()["runs"]
    assert published["graph"] is None


def asking(version: str = VERSION) -> Bench:
    """A run that waits for an answer for two hours."""
    ask = node(
        "ask", "human-input", user_actions=[{"id": "yes", "title": "Yes"}], timeout=2, timeout_unit="hour"
    )
    ends = [node(f"end_{name}", "end", outputs=[]) for name in ("yes", "late")]
    edges = [edge("start", "ask"), edge("ask", "end_yes", "yes"), edge("ask", "end_late", "__timeout")]
    bench = Bench({"nodes": [START, ask, *ends], "edges": edges}, version)
    [run] = bench.start()["runs"]
    assert run["status"] == "PAUSED"
    return bench


def test_an_answer_that_comes_twice_lets_a_paused_run_go_on_once() -> None:
    bench = asking()
    resume = bench.command("RESUME", {"interaction_id": "click", "action": "yes"})
    sent = bench.tell(resume, NOW + 7199)
    assert [record["node_id"] for record in sent["node.executions"]] == ["ask", "end_yes"]
    assert [run["status"] for run in sent["runs"]] == ["SUCCEEDED"]
    assert not any(bench.tell(resume, NOW + 7200).values())
    assert bench.outcomes[-2:] == [("RESUME", "applied"), ("RESUME", "stale")]


def test_the_event_whose_answer_came_too_late_is_told_so() -> None:
    """Gates of two keys have each found the wait, and logged a success."""
    bench = asking()
    log = trigger_log(revision=2, status="SUCCESS", workflow_run_id=RUN)
    answers = [
        bench.command(
            "RESUME", {"interaction_id": f"event/{n}", "action": "yes"}, trigger_log={**log, "id": str(n)}
        )
        for n in range(2)
    ]
    assert bench.tell(answers[0])["trigger.logs"] == []
    [told] = bench.tell(answers[1])["trigger.logs"]
    assert (told["id"], told["revision"], told["status"]) == ("1", 3, "STOPPED")
    assert told["error"] == f"run {RUN} no longer waits for this answer"
    assert bench.tell(answers[0])["trigger.logs"] == [], "it was applied, and is told again"
    bench.table.clear()
    assert [log["status"] for log in bench.tell(answers[1])["trigger.logs"]] == ["STOPPED"]


def test_an_answer_that_leaves_the_run_waiting_is_told_so_too() -> None:
    bench = asking()
    bad = {"interaction_id": "event/1", "action": "maybe"}
    sent = bench.tell(bench.command("RESUME", bad, trigger_log=trigger_log(status="SUCCESS")))
    assert [log["status"] for log in sent["trigger.logs"]] == ["STOPPED"]
    assert row_due(RUN, bench.table[RUN]) == NOW + 7200


def test_a_paused_run_that_nobody_answers_goes_on_when_its_row_is_due() -> None:
    bench = asking()
    assert row_due(RUN, bench.table[RUN]) == NOW + 7200
    sent = bench.serve(NOW + 7200)
    assert [record["node_id"] for record in sent["node.executions"]] == ["ask", "end_late"]
    assert [run["status"] for run in sent["runs"]] == ["SUCCEEDED"]


def test_a_paused_run_of_the_draft_keeps_its_form() -> None:
    bench = asking("draft")
    bench.change(PURE)
    [run] = bench.tell(bench.command("RESUME", {"interaction_id": "click", "action": "yes"}))["runs"]
    assert run["status"] == "SUCCEEDED"


def test_a_version_that_is_not_there_is_refused() -> None:
    bench = Bench(PURE)
    with pytest.raises(UnknownVersion, match="no version 'other'"):
        bench.tell(bench.command("START", {"inputs": {}}, version="other"))


def test_it_waits_until_it_knows_what_the_sender_knew() -> None:
    bench = Bench(PURE)
    with pytest.raises(NotYet):
        bench.tell(bench.command("START", {"inputs": {}}, workflows_offset=11))


def test_a_row_survives_its_encoding() -> None:
    row = RunRow(12.5, b"pinned", b"state")
    assert RunRow.decode(row.encode()) == row
    assert row_due("", row.encode()) == 12.5


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize("levels", range(248, 253))
def test_what_is_nested_too_deep_to_be_kept_or_told_ends_the_run(levels: int) -> None:
    value = ["loop", "v"]
    reads = [{"variable": "n", "value_selector": value}]
    inside = [
        {**node("begin", "loop-start"), "parentId": "loop"},
        {"id": "code", "data": {**CODE["data"], "variables": reads}, "parentId": "loop"},
    ]
    start = node("start", "start", variables=[{"variable": "o", "label": "o", "type": "json_object"}])
    around = node(
        "loop", "loop", start_node_id="begin", loop_count=1, break_conditions=[], logical_operator="and",
        loop_variables=[
            {"label": "v", "var_type": "object", "value_type": "variable", "value": ["start", "o"]}
        ],
    )  # fmt: skip
    end = node("end", "end", outputs=[{"variable": "v", "value_selector": value}])
    bench = Bench({
        "nodes": [start, around, *inside, end],
        "edges": [edge("start", "loop"), edge("begin", "code"), edge("loop", "end")],
    })  # fmt: skip
    sent = bench.tell(bench.command("START", {"inputs": {"o": nested(levels)}}))
    if sent["runs"][-1]["status"] == "RUNNING":
        task = sent["node.tasks.default"][0]["node_execution_id"]
        told = {"node_execution_id": task, "status": "succeeded", "outputs": {"m": 2}}
        sent = bench.tell(bench.command("NODE_RESULT", told))
    run = sent["runs"][-1]
    assert run["finished_at"] is not None
    assert levels > 250 or run["status"] == "SUCCEEDED"
    assert run["status"] == "SUCCEEDED" or "Recursion limit reached" in run["error"]
    assert bench.ended == [run["status"]]
