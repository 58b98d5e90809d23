"""A workflow that another one calls as a tool: the stages hand each other what the broker would."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any, cast

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.ids import called_run_id, node_execution_id
from schemas.models import DEFAULT_TENANT, ToolProvider, Workflow, WorkflowType
from schemas.secrets import SecretBox
from streams.calls import WorkflowCalls
from streams.engine.options import Options
from streams.execute import Executor
from streams.executors.catalog import Catalog
from streams.executors.outcome import NodeCall, Outcome
from streams.fetching import Fetcher
from streams.interruptions import Interruptions
from streams.offload import Offload
from streams.runner import Runner
from streams.shell.stage import NotYet, Record
from tests.streams.executed import executed
from tests.streams.kept import KeptRows
from tests.streams.test_runner import VERSION, Feed, edge, node
from transport.definitions import WORKFLOWS, Definitions
from transport.feed import DefinitionsFeed
from transport.storage import Storage
from transport.values import ValueStore

BOX = SecretBox(b"k" * 32)
CODEC = SingleObjectCodec()
NOW = 4_000_000_000.0
RUN = "0d6f2b7c-6a4e-5b1d-8c3f-9e0a1b2c3d4e"
CHILD = called_run_id(node_execution_id(RUN, "call"))


def call(tool: str, **given: Any) -> dict[str, Any]:
    parameters = {name: {"type": "mixed", "value": value} for name, value in given.items()}
    return node(
        "call", "tool", provider_id="4b1c", provider_name=tool, provider_type="workflow", tool_name=tool,
        tool_parameters=parameters,
    )  # fmt: skip


def chain(*nodes: dict[str, Any], outputs: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    end = node("end", "end", outputs=[{"variable": k, "value_selector": list(v)} for k, v in outputs.items()])
    all_nodes = [*nodes, end]
    return {
        "nodes": all_nodes,
        "edges": [edge(a["id"], b["id"]) for a, b in itertools.pairwise(all_nodes)],
    }


def start(*variables: Mapping[str, Any]) -> dict[str, Any]:
    return node("start", "start", variables=[{"label": one["variable"], **one} for one in variables])


CITY = {"variable": "city", "type": "text-input", "required": True}
DAYS = {"variable": "days", "type": "number", "required": False}
PARENT = chain(start(CITY), call("forecast", city="{{#start.city#}}", days="3"), outputs={
    "text": ("call", "text"), "json": ("call", "json"), "sky": ("call", "sky"), "files": ("call", "files"),
})  # fmt: skip
LOOK = node(
    "look", "http-request", method="get", url="http://x", headers="", params="",
    authorization={"type": "no-auth"}, body={"type": "none"},
)  # fmt: skip
FORECAST = chain(start(CITY, DAYS), LOOK, outputs={
    "sky": ("look", "body"), "days": ("start", "days"), "text": ("start", "city"),
})  # fmt: skip


class Town:
    """Two workflows, one runner, one executor."""

    def __init__(self, forecast: dict[str, Any] = FORECAST, max_depth: int = 5) -> None:
        self.definitions: Definitions = (feed := Feed()).definitions
        self.publish("parent", PARENT)
        self.publish("forecast", forecast)
        self.provide("weather/forecast", workflow_id="forecast")
        values = ValueStore(Storage(MemoryStore()))
        self.values = values
        reading = cast(DefinitionsFeed, feed)
        outside = {"fetcher": Fetcher(values), "offload": Offload(), "ended": lambda _: None}
        self.runner = Runner(reading, CODEC, Options(), 3600.0, lambda *_: None, **outside)  # type: ignore[arg-type]
        calls = WorkflowCalls(reading, Catalog(self.definitions, BOX), max_depth)
        self.executor = Executor(
            reading, CODEC, self.answer, BOX, 1, values, calls=calls, interruptions=Interruptions()
        )
        self.said: Outcome = Outcome("succeeded", outputs={"body": "blue"})
        self.table = KeptRows()
        self.records: list[dict[str, Any]] = []
        self.waiting: list[Record] = []
        """Tasks that are with the executor."""

    def publish(self, name: str, graph: dict[str, Any], **changes: Any) -> None:
        fields = {"type": WorkflowType.WORKFLOW, "version": VERSION, **changes}
        workflow = Workflow(id=name, app_id=f"app-{name}", graph=graph, **fields)
        self.definitions.apply(WORKFLOWS, workflow.key, workflow)

    def provide(self, name: str, **fields: Any) -> None:
        one = ToolProvider(id=name, name=name, kind="workflow", **fields)
        self.definitions.apply("definitions.tool_providers", one.id, one)

    async def answer(self, _: NodeCall) -> Outcome:
        return self.said

    def begin(self, **inputs: Any) -> None:
        """Until nothing is left to do but what the executor has."""
        self.tell("START", RUN, {"inputs": inputs})

    def tell(self, kind: str, run_id: str, payload: Any) -> None:
        record = {
            "command_id": f"{kind}/1", "kind": kind, "workflow_run_id": run_id, "tenant_id": DEFAULT_TENANT,
            "app_id": "app-parent", "workflow_id": "parent", "version": VERSION, "issued_at": int(NOW * 1e6),
            "payload": orjson.dumps(payload).decode(),
        }  # fmt: skip
        self.decide(CODEC.encode("RunCommand", record))

    def decide(self, command: bytes) -> None:
        record = Record("run.commands", 0, 0, b"", command, (), 0)
        while True:
            try:
                decision = self.runner.decide(record, self.table, NOW)
                break
            except NotYet as not_yet:
                asyncio.run(not_yet.wait())
        asyncio.run(self.values.put_all(decision.uploads))
        for key, row in decision.writes.items():
            self.table.update({key: row}) if row is not None else self.table.pop(key, None)
        for send in decision.sends:
            match send.topic:
                case "node.tasks.default":
                    self.waiting.append(Record(send.topic, 0, 0, send.key, send.value, (), 0))
                case "run.commands":
                    self.decide(send.value)
                case "runs":
                    self.records.append(CODEC.decode("WorkflowRun", send.value))
                case "node.executions":
                    self.records.append(CODEC.decode("WorkflowNodeExecution", send.value))

    def work(self) -> None:
        """The executor does all that it has, and what follows from that."""
        while self.waiting:
            for send in asyncio.run(executed(self.executor, self.waiting.pop(0))):
                self.decide(send.value)

    def last(self, record_id: str) -> dict[str, Any]:
        return [one for one in self.records if one["id"] == record_id][-1]


def test_its_outputs_are_those_of_the_node() -> None:
    town = Town()
    town.begin(city="Bern")
    town.work()
    child, parent = town.last(CHILD), town.last(RUN)
    assert (child["status"], child["workflow_id"], child["app_id"]) == (
        "SUCCEEDED",
        "forecast",
        "app-forecast",
    )
    assert orjson.loads(child["inputs"]) == {"city": "Bern", "days": 3}
    whole = {"sky": "blue", "days": 3, "text": "Bern"}
    outputs = orjson.loads(parent["outputs"])
    assert orjson.loads(outputs.pop("text")) == whole
    assert outputs == {"json": [whole], "sky": "blue", "files": []}
    called = town.last(node_execution_id(RUN, "call"))
    assert orjson.loads(called["process_data"]) == {"workflow_run_id": CHILD}


def test_told_again_it_is_the_same_run_with_the_same_result() -> None:
    town = Town()
    town.begin(city="Bern")
    [task] = town.waiting
    town.work()
    before = town.last(RUN)
    town.waiting.append(task)
    town.work()
    assert town.last(RUN) == before
    assert {one["id"] for one in town.records if "workflow_run_id" not in one} == {RUN, CHILD}


def test_nobody_waits_while_it_runs() -> None:
    town = Town()
    town.begin(city="Bern")
    [task] = town.waiting
    [send] = asyncio.run(executed(town.executor, task))
    command = CODEC.decode("RunCommand", send.value)
    assert (command["kind"], command["workflow_run_id"], send.key) == ("START", CHILD, CHILD.encode())


def test_what_it_fails_of_fails_the_node() -> None:
    town = Town()
    town.said = Outcome("failed", error="no network", error_type="HttpRequestNodeError")
    town.begin(city="Bern")
    town.work()
    parent = town.last(RUN)
    assert parent["status"] == "FAILED"
    assert f"run {CHILD} has ended FAILED: node 'look' (look): no network" in parent["error"]


def test_tokens_count_for_the_caller_as_well() -> None:
    town = Town()
    town.said = Outcome("succeeded", outputs={"body": "x"}, execution_metadata={"total_tokens": 12})
    town.begin(city="Bern")
    town.work()
    assert [town.last(run)["total_tokens"] for run in (CHILD, RUN)] == [12, 12]


def test_a_large_output_gets_through() -> None:
    town = Town()
    town.said = Outcome("succeeded", outputs={"body": "x" * 3_000_000})
    town.begin(city="Bern")
    town.work()
    assert town.last(RUN)["status"] == "SUCCEEDED"


def test_files_are_files_of_the_node() -> None:
    file = {"dify_model_identity": "__dify__file__", "type": "image", "transfer_method": "remote_url",
            "remote_url": "http://x/a.png"}  # fmt: skip
    town = Town(chain(start(CITY), LOOK, outputs={"sky": ("look", "body"), "one": ("look", "files")}))
    town.said = Outcome("succeeded", outputs={"body": "blue", "files": [file]})
    town.begin(city="Bern")
    town.work()
    outputs = orjson.loads(town.last(RUN)["outputs"])
    assert (outputs["files"], outputs["json"]) == ([file], [{"sky": "blue"}])


def test_it_ends_with_its_caller() -> None:
    town = Town()
    town.begin(city="Bern")
    [task] = town.waiting
    town.waiting.clear()
    [send] = asyncio.run(executed(town.executor, task))
    town.decide(send.value)
    town.tell("CANCEL", RUN, {"reason": "by ada"})
    assert [town.last(run)["status"] for run in (RUN, CHILD)] == ["STOPPED", "STOPPED"]


def test_a_start_that_its_cancel_has_overtaken_begins_nothing() -> None:
    town = Town()
    town.begin(city="Bern")
    [task] = town.waiting
    town.waiting.clear()
    [send] = asyncio.run(executed(town.executor, task))
    town.tell("CANCEL", RUN, {"reason": "by ada"})
    town.decide(send.value)
    assert town.last(RUN)["status"] == "STOPPED"
    assert {one["workflow_run_id"] for one in town.records if "workflow_run_id" in one} == {RUN}
    assert CHILD not in {one["id"] for one in town.records}
    assert town.waiting == []
    for key, row in list(town.table.items()):
        decision = town.runner.on_due(key, row, town.table, NOW + 3600)
        assert decision.writes == {key: None}  # both are forgotten in time


def test_a_cancel_of_anything_else_that_is_not_there_leaves_nothing_behind() -> None:
    town = Town()
    town.tell("CANCEL", RUN, {"reason": "by ada"})
    assert dict(town.table) == {}


def test_calls_within_calls_have_an_end() -> None:
    endless = chain(start(CITY), call("forecast", city="x"), outputs={"sky": ("call", "text")})
    town = Town(endless, max_depth=3)
    town.begin(city="Bern")
    town.work()
    assert "workflows call each other more than 3 deep" in town.last(RUN)["error"]
    assert len({one["id"] for one in town.records if "workflow_run_id" not in one}) == 1 + 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": WorkflowType.CHAT}, "is a chat"),
        ({"tenant_id": "another"}, "of which no version is published"),
        ({"version": "draft"}, "of which no version is published"),
    ],
)
def test_what_cannot_be_called_fails_the_node(change: dict[str, Any], said: str) -> None:
    town = Town()
    town.definitions.workflows.pop("forecast")
    town.definitions.latest.remove("forecast")
    town.publish("forecast", FORECAST, **change)
    town.begin(city="Bern")
    town.work()
    assert said in town.last(RUN)["error"]


def test_a_missing_argument_is_named() -> None:
    town = Town(chain(start(CITY, {**DAYS, "variable": "hours", "required": True}), outputs={}))
    town.begin(city="Bern")
    town.work()
    assert "parameter 'hours' is required" in town.last(RUN)["error"]


def test_a_secret_is_not_handed_on() -> None:
    town = Town()
    graph = chain(start(CITY), call("forecast", city="{{#env.key#}}"), outputs={})
    secret = {"name": "key", "value_type": "secret", "value": BOX.encrypt(DEFAULT_TENANT, "s3cret")}
    town.publish("parent", graph, environment_variables=[secret])
    town.begin(city="Bern")
    town.work()
    assert "a workflow cannot be given a secret" in town.last(RUN)["error"]
    assert CHILD not in {one["id"] for one in town.records}
