"""Large values on their way through a run: by reference in every message, whole for every node."""

import asyncio
from collections import deque
from itertools import pairwise
from typing import Any, cast

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.models import Workflow, WorkflowType
from schemas.references import MARK, value_key
from schemas.summaries import OFFLOADED
from streams.calls import WorkflowCalls
from streams.engine.options import Options
from streams.execute import Executor
from streams.executors.catalog import Catalog
from streams.executors.outcome import NodeCall, Outcome
from streams.fetching import Fetcher
from streams.interruptions import Interruptions
from streams.offload import DOCUMENT_BYTES, MOST_BYTES, Mode, Offload
from streams.runner import Runner
from streams.shell.stage import Decision, NotYet, Record
from tests.graphs import graph, loop, loop_variable, template
from tests.streams.executed import executed
from tests.streams.kept import KeptRows
from transport.definitions import WORKFLOWS, Definitions
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.storage import Storage
from transport.values import ValueStore

CODEC = SingleObjectCodec()
NOW = 4_000_000_000.0
RUN = "0b9e2d6c-0000-5000-8000-000000000001"
LARGE = "x" * 3_000_000
SCHEMAS = {
    "runs": "WorkflowRun",
    "node.executions": "WorkflowNodeExecution",
    "node.tasks.default": "NodeTask",
}


def node(node_id: str, node_type: str, **data: Any) -> dict[str, Any]:
    return {"id": node_id, "data": {"type": node_type, "title": node_id, **data}}


def read(variable: str, *selector: str) -> dict[str, Any]:
    return {"variable": variable, "value_selector": list(selector)}


def code(node_id: str, *variables: dict[str, Any]) -> dict[str, Any]:
    outputs = {"text": {"type": "string"}}
    program = "def main(**given): ..."
    return node(
        node_id, "code", code_language="python3", code=program, variables=list(variables), outputs=outputs
    )


START = node("start", "start", variables=[{"variable": "given", "type": "paragraph", "required": False}])


def chain(*nodes: dict[str, Any]) -> dict[str, Any]:
    ids = [one["id"] for one in nodes]
    edges = [{"source": a, "target": b} for a, b in pairwise(ids)]
    return {"nodes": list(nodes), "edges": edges}


class Feed:
    def __init__(self, graph: dict[str, Any], version: str) -> None:
        self.definitions = Definitions()
        workflow = Workflow(
            id="flow", app_id="app", tenant_id="t", type=WorkflowType.WORKFLOW, version=version, graph=graph
        )
        self.definitions.apply(WORKFLOWS, workflow.key, workflow)

    def offset(self, topic: str) -> int:
        return 0


class Plant:
    """Engine and executor with a memory of their own each, over one storage."""

    def __init__(self, graph: dict[str, Any], mode: Mode = "SELECTIVE", version: str = "v1") -> None:
        self.storage = Storage(MemoryStore())
        self.version = version
        feed = cast(DefinitionsFeed, Feed(graph, version))
        self.engine_values, executor_values = ValueStore(self.storage), ValueStore(self.storage)
        self.runner = Runner(
            feed,
            CODEC,
            Options(),
            3600.0,
            lambda *_: None,
            fetcher=Fetcher(self.engine_values),
            offload=Offload(mode),
            ended=lambda _: None,
        )
        calls = WorkflowCalls(feed, Catalog(feed.definitions, None), 5)
        self.executor = Executor(
            feed, CODEC, self.execute, None, 1, executor_values, calls=calls, interruptions=Interruptions()
        )
        self.rows = KeptRows()
        self.calls: list[NodeCall] = []
        self.waits = 0
        self.sent: list[Send] = []

    async def execute(self, call: NodeCall) -> Outcome:
        self.calls.append(call)
        given = "".join(str(value) for value in call.inputs.values())
        return Outcome("succeeded", outputs={"text": given or LARGE, "n": 1})

    async def run(self, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
        """Until nothing is left to do; the last record of the run."""
        payload = {
            "inputs": inputs or {},
            "triggered_from": "debugging" if self.version == "draft" else "app-run",
        }
        command = {
            "command_id": "c", "kind": "START", "workflow_run_id": RUN, "tenant_id": "t", "app_id": "app",
            "workflow_id": "flow", "version": self.version, "issued_at": int(NOW * 1e6),
            "payload": orjson.dumps(payload).decode(),
        }  # fmt: skip
        pending = deque([Send("run.commands", RUN.encode(), CODEC.encode("RunCommand", command))])
        while pending:
            send = pending.popleft()
            record = Record(send.topic, 0, 0, send.key, send.value, (), 0)
            if send.topic == "run.commands":
                pending += await self.carry_out(await self.decide(record))
            elif send.topic == "node.tasks.default":
                pending += await executed(self.executor, record)
            self.sent.append(send)
        return self.records("runs")[-1]

    async def decide(self, record: Record) -> Decision:
        while True:
            try:
                return self.runner.decide(record, self.rows, NOW)
            except NotYet as not_yet:
                self.waits += 1
                await asyncio.wait_for(not_yet.wait(), 5)

    async def carry_out(self, decision: Decision) -> list[Send]:
        await self.engine_values.put_all(decision.uploads)
        for key, value in decision.writes.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                assert len(value) <= DOCUMENT_BYTES + 100, key
                self.rows[key] = value
        return decision.sends

    def records(self, topic: str) -> list[dict[str, Any]]:
        return [CODEC.decode(SCHEMAS[topic], send.value) for send in self.sent if send.topic == topic]

    def largest(self) -> int:
        """Of all that was sent but the first command, which is the test's."""
        return max(len(send.value or b"") for send in self.sent[1:])

    async def whole(self, document: str) -> Any:
        """What the API makes of a field of a record."""
        shown = orjson.loads(document)
        if OFFLOADED not in shown:
            return shown
        mark = shown[OFFLOADED]
        values = ValueStore(self.storage)
        content = await values.get(value_key("t", mark["owner"], mark["digest"]))
        return await values.resolve("t", mark["owner"], orjson.loads(content))


JOIN = node(
    "join",
    "template-transform",
    template="{{ text[:3] }}{{ text|length }}",
    variables=[read("text", "one", "text")],
)


async def test_a_template_joins_what_a_code_node_made() -> None:
    plant = Plant(chain(START, code("one"), JOIN, node("end", "end", outputs=[read("o", "join", "output")])))
    run = await plant.run()
    assert run["status"] == "SUCCEEDED"
    assert plant.waits == 1
    assert plant.largest() < 100_000
    assert await plant.whole(run["outputs"]) == {"o": "xxx3000000"}
    by_node = {one["node_id"]: one for one in plant.records("node.executions") if one["outputs"]}
    assert await plant.whole(by_node["one"]["outputs"]) == {"text": LARGE, "n": 1}
    assert orjson.loads(by_node["one"]["outputs"])["n"] == 1
    assert await plant.whole(by_node["join"]["inputs"]) == {"text": LARGE}


async def test_what_is_only_handed_on_never_comes_to_the_engine() -> None:
    steps = (
        code("one"),
        code("two", read("a", "one", "text")),
        node("end", "end", outputs=[read("o", "two", "text")]),
    )
    plant = Plant(chain(START, *steps))
    run = await plant.run()
    assert plant.waits == 0
    assert plant.calls[1].inputs == {"a": LARGE}
    assert await plant.whole(run["outputs"]) == {"o": LARGE}
    assert plant.largest() < 100_000


async def test_an_input_may_be_large() -> None:
    steps = (
        code("one", read("a", "start", "given")),
        node("end", "end", outputs=[read("o", "start", "given")]),
    )
    plant = Plant(chain(START, *steps))
    run = await plant.run({"given": LARGE})
    assert plant.calls[0].inputs == {"a": LARGE}
    assert await plant.whole(run["inputs"]) == {"given": LARGE}
    assert await plant.whole(run["outputs"]) == {"o": LARGE}
    assert plant.largest() < 100_000


async def test_a_round_of_an_iteration_reads_a_large_list_by_pages() -> None:
    inside = {"isInIteration": True, "iteration_id": "each"}
    one = code("one")
    one["data"]["outputs"]["items"] = {"type": "array[string]"}
    each = node(
        "each",
        "iteration",
        start_node_id="begin",
        iterator_selector=["one", "items"],
        output_selector=["inner", "output"],
    )
    begin = {"parentId": "each", **node("begin", "iteration-start", **inside)}
    inner = node(
        "inner",
        "template-transform",
        template="{{ i|length }}",
        variables=[read("i", "each", "item")],
        **inside,
    )
    graph = chain(START, one, each, node("end", "end", outputs=[read("o", "each", "output")]))
    graph["nodes"] += [begin, {"parentId": "each", **inner}]
    graph["edges"].append({"source": "begin", "target": "inner"})
    plant = Plant(graph)

    async def items(call: NodeCall) -> Outcome:
        return Outcome("succeeded", outputs={"text": "t", "items": ["y" * 100_000] * 40})

    plant.executor._execute = items
    run = await plant.run()
    assert run["status"] == "SUCCEEDED", run["error"]
    assert orjson.loads(run["outputs"]) == {"o": ["100000"] * 40}
    assert plant.largest() < 110_000


async def test_a_loop_may_have_large_variables() -> None:
    """What they were in each round is in the record of the loop: together more than a message holds."""
    fill = template("fill", "{{ 'x' * 300000 }}")
    item = {
        "variable_selector": ["again", "text"], "input_type": "variable", "operation": "over-write",
        "value": ["fill", "output"],
    }  # fmt: skip
    keep = node("keep", "assigner", version="2", items=[item])
    nodes = loop("again", 60, fill, keep, loop_variables=[loop_variable("text", "string", "")])
    edges = [("start", "again"), ("againstart", "fill"), ("fill", "keep"), ("again", "end")]
    last = node("end", "end", outputs=[read("o", "again", "loop_round")])
    plant = Plant(graph([START, *nodes, last], *edges))
    run = await plant.run()
    assert (run["status"], orjson.loads(run["outputs"])) == ("SUCCEEDED", {"o": 60})
    assert plant.largest() < 3_000_000
    (record,) = [
        one for one in plant.records("node.executions") if one["node_id"] == "again" and one["outputs"]
    ]
    metadata = orjson.loads(record["execution_metadata"])
    assert metadata["completed_reason"] == "loop_completed"
    assert metadata["loop_variable_map"]["0"]["text"].startswith("xxx")


async def test_a_value_that_is_gone_fails_the_node_that_looks_at_it() -> None:
    plant = Plant(chain(START, code("one"), JOIN, node("end", "end", outputs=[read("o", "join", "output")])))

    async def forged(call: NodeCall) -> Outcome:
        return Outcome("succeeded", outputs={"text": {MARK: "0" * 64, "size": 3}})

    plant.executor._execute = forged
    run = await plant.run()
    assert run["status"] == "FAILED"
    assert "gone from the object storage" in run["error"]


@pytest.mark.parametrize(
    ("mode", "version", "limit", "marked"),
    [
        ("NEVER", "v1", MOST_BYTES, False),
        ("SYNC_ONLY", "v1", MOST_BYTES, False),
        ("SYNC_ONLY", "draft", 300_000, True),
        ("SELECTIVE", "v1", 300_000, True),
        ("ALWAYS", "v1", 10_000, True),
    ],
)
async def test_modes(mode: Mode, version: str, limit: int, marked: bool) -> None:
    steps = (
        node("say", "template-transform", template="{{ t }}" * 7, variables=[read("t", "start", "given")]),
    )
    plant = Plant(
        chain(START, *steps, node("end", "end", outputs=[read("o", "say", "output")])), mode, version
    )
    run = await plant.run({"given": "x" * 50_000})
    assert (OFFLOADED in orjson.loads(run["outputs"])) is marked
    assert await plant.whole(run["outputs"]) == {"o": "x" * 350_000}
    assert len(run["outputs"]) <= limit
    assert (OFFLOADED in orjson.loads(run["inputs"])) is (mode == "ALWAYS")


async def test_even_never_keeps_what_fits_into_no_message() -> None:
    plant = Plant(chain(START, node("end", "end", outputs=[read("o", "start", "given")])), "NEVER")
    run = await plant.run({"given": LARGE})
    assert OFFLOADED in orjson.loads(run["outputs"])
    assert await plant.whole(run["outputs"]) == {"o": LARGE}


async def test_doing_it_again_writes_the_same_objects() -> None:
    plant = Plant(chain(START, code("one"), JOIN, node("end", "end", outputs=[read("o", "join", "output")])))
    await plant.run()
    first = {one.key async for one in plant.storage.list("values")}
    plant.rows = KeptRows()
    plant.sent.clear()
    await plant.run()
    assert {one.key async for one in plant.storage.list("values")} == first
