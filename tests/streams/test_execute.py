"""The executor stage: what becomes of a task besides its execution."""

import asyncio
from typing import Any, cast

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.ids import now_us
from schemas.models import Workflow, WorkflowType
from streams.calls import WorkflowCalls
from streams.execute import Executor
from streams.executors.catalog import Catalog
from streams.executors.errors import NotConfigured
from streams.executors.outcome import NodeCall, Outcome
from streams.shell.stage import Record
from tests.streams.test_runner import Feed
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.storage import Storage
from transport.values import ValueStore

CODEC = SingleObjectCodec()


class Stage:
    """One executor, whose nodes do what the test says."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.calls: list[NodeCall] = []
        self.outcome = outcome
        feed = Feed()
        workflow = Workflow(id="flow", app_id="app", type=WorkflowType.WORKFLOW, version="1", graph={})
        feed.definitions.apply(WORKFLOWS, workflow.key, workflow)
        reading, values = cast(DefinitionsFeed, feed), ValueStore(Storage(MemoryStore()))
        calls = WorkflowCalls(reading, Catalog(feed.definitions, None), 5)
        self.executor = Executor(reading, CODEC, self.execute, None, 1, values, calls=calls)

    async def execute(self, call: NodeCall) -> Outcome:
        self.calls.append(call)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def do(self, **changes: Any) -> dict[str, Any]:
        """The result of one task, as its run gets it."""
        task = {
            "node_execution_id": "e-1", "workflow_run_id": "r-1", "tenant_id": "t", "app_id": "app",
            "workflow_id": "flow", "version": "1", "node_id": "n", "node_type": "code", "config": "{}",
            "inputs": '{"x": 1}', "issued_at": 0, **changes,
        }  # fmt: skip
        record = Record("node.tasks.default", 0, 0, b"", CODEC.encode("NodeTask", task), (), 0)
        [send] = asyncio.run(self.executor.execute(record))
        command = CODEC.decode("RunCommand", send.value)
        assert (send.topic, send.key, command["kind"]) == ("run.commands", b"r-1", "NODE_RESULT")
        payload: dict[str, Any] = orjson.loads(command["payload"])
        return payload


def test_a_task_whose_run_has_had_its_time_is_not_executed() -> None:
    stage = Stage(Outcome("succeeded"))
    result = stage.do(deadline_at=now_us() - 1)
    assert (result["status"], result["error_type"], stage.calls) == ("failed", "TooLate", [])
    assert stage.do(deadline_at=now_us() + 60_000_000)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("outcome", "error_type"),
    [(NotConfigured("no such thing"), "NotConfigured"), (RuntimeError("no such thing"), "ExecutorError")],
)
def test_whatever_is_raised_the_run_is_told(outcome: Exception, error_type: str) -> None:
    result = Stage(outcome).do()
    assert (result["status"], result["error_type"]) == ("failed", error_type)
    assert "no such thing" in result["error"]


def test_a_long_error_is_cut() -> None:
    result = Stage(Outcome("failed", error="x" * 1_000_000, error_type="E")).do()
    assert len(result["error"]) < 100_000
