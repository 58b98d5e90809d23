"""Secrets of a workflow, from the engine to an executor and back: used where they are meant, kept nowhere."""

import asyncio
import json
from typing import Any, cast
from urllib.parse import quote, urlencode

import orjson
import pytest
from obstore.store import MemoryStore
from yarl import URL

from schemas.models import DEFAULT_TENANT, Workflow, WorkflowType
from schemas.secrets import SecretBox
from streams.calls import WorkflowCalls
from streams.execute import Executor
from streams.executors.catalog import Catalog
from streams.executors.outcome import NodeCall, Outcome
from streams.interruptions import Interruptions
from streams.placeholders import placeholder, without_placeholders
from streams.shell.stage import Record
from tests.graphs import template
from tests.streams.executed import executed
from tests.streams.test_runner import CODEC, VERSION, Bench, edge, node
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.storage import Storage
from transport.values import ValueStore

SECRET = "s3cret"
BOX = SecretBox(b"k" * 32)
TOKEN = {"name": "token", "value_type": "secret", "value": BOX.encrypt(DEFAULT_TENANT, SECRET)}
GRAPH = {
    "nodes": [
        node("start", "start", variables=[{"variable": "said", "label": "said", "type": "paragraph"}]),
        node(
            "call", "tool", provider_name="orders", provider_type="api", tool_name="add",
            tool_parameters={"text": {"type": "mixed", "value": "{{#start.said#}} with {{#env.token#}}"}},
        ),
        node("end", "end", outputs=[{"variable": "text", "value_selector": ["call", "text"]}]),
    ],
    "edges": [edge("start", "call"), edge("call", "end")],
}  # fmt: skip


class Secretive(Bench):
    """A runner, and an executor whose node repeats what it was given."""

    def __init__(self, token: dict[str, str] = TOKEN) -> None:
        self.token = token
        super().__init__(GRAPH)
        self.given: list[Any] = []
        self.known: list[frozenset[str]] = []
        values = ValueStore(Storage(MemoryStore()))
        feed = cast(DefinitionsFeed, self.feed)
        calls = WorkflowCalls(feed, Catalog(self.feed.definitions, BOX), 5)
        self.executor = Executor(
            feed, CODEC, self.repeat, BOX, 1, values, calls=calls, interruptions=Interruptions()
        )

    def change(self, graph: dict[str, Any]) -> None:
        workflow = Workflow(
            id="flow", app_id="app", type=WorkflowType.WORKFLOW, version=VERSION, graph=graph,
            environment_variables=[self.token],
        )  # fmt: skip
        self.feed.definitions.apply(WORKFLOWS, workflow.key, workflow)

    async def repeat(self, call: NodeCall) -> Outcome:
        self.given.append(call.inputs["text"])
        self.known.append(call.secrets)
        said = call.inputs["text"].partition(" with ")[2]
        urls = [f"/?q={quote(said, safe='')}", f"/?q={quote(said)}", f"/?{urlencode({'q': said}, safe='/')}"]
        sent = {"request": [*urls, str(URL("/").with_query(q=said))], "body": json.dumps({"q": said})}
        return Outcome("succeeded", outputs={"text": f"heard: {call.inputs['text']}"}, process_data=sent)

    def run(self, said: str) -> list[dict[str, Any]]:
        """All records of a run, as they are kept."""
        sent = self.tell(self.command("START", {"inputs": {"said": said}}))
        kept = [*sent["runs"], *sent["node.executions"]]
        [task] = sent["node.tasks.default"]
        record = Record("node.tasks.default", 0, 0, b"", CODEC.encode("NodeTask", task), (), 0)
        [result] = asyncio.run(executed(self.executor, record))
        sent = self.tell(Record("run.commands", 0, 1, b"", result.value, (), 0))
        return [*kept, *sent["runs"], *sent["node.executions"]]


def test_a_secret_is_put_in_by_the_executor_and_no_record_has_it() -> None:
    bench = Secretive()
    records = bench.run("hello")
    assert bench.given == [f"hello with {SECRET}"]
    assert bench.known == [{SECRET}]
    assert SECRET not in str(records)
    assert placeholder(TOKEN) not in str(records)
    [inputs] = {one["inputs"] for one in records if one.get("node_id") == "call"}
    assert orjson.loads(inputs) == {"text": "hello with {{#env.token#}}"}
    [ended] = [one for one in records if one.get("status") == "SUCCEEDED"]
    assert orjson.loads(ended["outputs"]) == {"text": "heard: hello with ******"}


def test_whoever_starts_a_run_cannot_have_a_secret_sent_along() -> None:
    for said in ("{{#env.token#}}", "{{#env.token#}", placeholder({"name": "token", "value": ""})):
        bench = Secretive()
        bench.run(said)
        assert bench.given == [f"{said} with {SECRET}"]


@pytest.mark.parametrize("secret", ["a", "0", 'q"u\\ote', "s3 cret/&ü:;+%25", "******"])
def test_a_secret_of_any_kind_is_masked_in_all_that_it_looks_like(secret: str) -> None:
    bench = Secretive({**TOKEN, "value": BOX.encrypt(DEFAULT_TENANT, secret)})
    records = bench.run("x")
    [ended] = [one for one in records if one.get("status") == "SUCCEEDED"]
    heard = orjson.loads(ended["outputs"])["text"]
    assert heard.endswith("with ******")
    [shown] = [one["process_data"] for one in records if one.get("process_data")]
    assert orjson.loads(shown) == {"request": ["/?q=******"] * 4, "body": '{"q": "******"}'}


def test_a_node_that_is_pure_passes_a_secret_on_without_seeing_it() -> None:
    bench = Secretive()
    [task] = bench.tell(bench.command("START", {"inputs": {"said": "x"}}))["node.tasks.default"]
    config = orjson.dumps(template("n", "{{ x }}!", x=["s", "x"])["data"]).decode()
    inputs = orjson.dumps({"s": {"x": placeholder(TOKEN)}}).decode()
    pure = {**task, "node_type": "template-transform", "config": config, "inputs": inputs}
    record = Record("node.tasks.default", 0, 0, b"", CODEC.encode("NodeTask", pure), (), 0)
    [result] = asyncio.run(executed(bench.executor, record))
    payload = orjson.loads(CODEC.decode("RunCommand", result.value)["payload"])
    assert payload["outputs"] == {"output": f"{placeholder(TOKEN)}!"}


def test_two_secrets_have_two_placeholders_whatever_their_names() -> None:
    other = {**TOKEN, "value": BOX.encrypt(DEFAULT_TENANT, SECRET)}
    assert placeholder(other) != placeholder(TOKEN)


def test_an_odd_name_leaves_the_record_valid_json() -> None:
    odd = {**TOKEN, "name": 'a"b\\c\n'}
    document = orjson.dumps({"x": placeholder(odd)}).decode()
    kept = without_placeholders({"outputs": document, "index": 1}, [odd])
    assert orjson.loads(kept["outputs"]) == {"x": "{{#env.abc#}}"}
