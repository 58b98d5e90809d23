"""The executor stage: what becomes of a task besides its execution."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.ids import now_us
from schemas.models import Workflow, WorkflowType
from schemas.references import MARK
from streams.calls import WorkflowCalls
from streams.execute import Executor
from streams.executors.catalog import Catalog
from streams.executors.errors import NotConfigured
from streams.executors.outcome import NodeCall, Outcome
from streams.interruptions import Interruptions
from streams.shell.stage import Record
from tests.graphs import template
from tests.streams.executed import executed
from tests.streams.test_runner import Feed
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.storage import Storage
from transport.values import ValueStore

CODEC = SingleObjectCodec()


async def at_once() -> None:
    """A node that takes no time."""


class Stage:
    """One executor, whose nodes do what the test says."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.calls: list[NodeCall] = []
        self.outcome = outcome
        self.work: Callable[[], Awaitable[None]] = at_once
        feed = Feed()
        workflow = Workflow(id="flow", app_id="app", type=WorkflowType.WORKFLOW, version="1", graph={})
        feed.definitions.apply(WORKFLOWS, workflow.key, workflow)
        reading, values = cast(DefinitionsFeed, feed), ValueStore(Storage(MemoryStore()))
        calls = WorkflowCalls(reading, Catalog(feed.definitions, None), 5)
        self.interruptions = Interruptions()
        self.unwanted: list[str] = []
        self.executor = Executor(
            reading,
            CODEC,
            self.execute,
            None,
            1,
            values,
            calls=calls,
            interruptions=self.interruptions,
            unwanted=self.unwanted.append,
        )

    async def execute(self, call: NodeCall) -> Outcome:
        self.calls.append(call)
        await self.work()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def task(self, **changes: Any) -> Record:
        """As the engine sends it."""
        task = {
            "node_execution_id": "e-1", "workflow_run_id": "r-1", "tenant_id": "t", "app_id": "app",
            "workflow_id": "flow", "version": "1", "node_id": "n", "node_type": "code", "config": "{}",
            "inputs": '{"x": 1}', "issued_at": 0, **changes,
        }  # fmt: skip
        return Record("node.tasks.default", 0, 0, b"", CODEC.encode("NodeTask", task), (), 0)

    async def sends(self, **changes: Any) -> list[Send]:
        """What comes of one task."""
        return await executed(self.executor, self.task(**changes))

    def do(self, **changes: Any) -> dict[str, Any]:
        """The result of one task, as its run gets it."""
        [send] = asyncio.run(self.sends(**changes))
        command = CODEC.decode("RunCommand", send.value)
        assert (send.topic, send.key, command["kind"]) == ("run.commands", b"r-1", "NODE_RESULT")
        payload: dict[str, Any] = orjson.loads(command["payload"])
        return payload


TEMPLATE = {
    "node_type": "template-transform",
    "config": orjson.dumps(template("n", "{{ x }}!", x=["s", "x"])["data"]).decode(),
}

LARGE = {
    "node_type": "variable-aggregator",
    "config": orjson.dumps({"output_type": "string", "variables": [["s", "x"]]}).decode(),
}
"""A node whose result is as large as what it is given."""


def given(x: Any) -> str:
    """Inputs of either."""
    return orjson.dumps({"s": {"x": x}}).decode()


def test_a_pure_node_is_done_as_it_comes() -> None:
    stage = Stage(Outcome("succeeded"))
    assert stage.do(**TEMPLATE, inputs=given(1))["outputs"] == {"output": "1!"}
    assert stage.do(**TEMPLATE, inputs=given(2))["outputs"] == {"output": "2!"}
    assert stage.do(**{**TEMPLATE, "config": "{}"})["error_type"] == "InvalidDefinition"
    assert stage.calls == [], "no executor was asked"
    stage.interruptions.cancel(["e-1"])
    assert stage.executor.execute(stage.task(**TEMPLATE, inputs=given(1))) == []
    assert stage.unwanted == ["skipped"]


@pytest.mark.parametrize(
    "unusual",
    [{"inputs": given({MARK: "elsewhere"})}, {**LARGE, "inputs": given("x" * 2_000_000)}, {"inputs": "{"},
     {"inputs": given(1), "deadline_at": 1}],
    ids=["a value that is elsewhere", "a large result", "damaged", "too late"],
)  # fmt: skip
def test_a_pure_node_that_is_unusual_is_given_its_time(unusual: dict[str, Any]) -> None:
    stage = Stage(Outcome("succeeded"))
    waited_for = stage.executor.execute(stage.task(**{**TEMPLATE, **unusual}))
    assert not isinstance(waited_for, list)
    waited_for.close()


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


def test_a_node_that_never_ends_is_broken_off_and_its_run_is_told() -> None:
    stage, broken_off = Stage(Outcome("succeeded")), list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.append("yes")

    stage.work = work
    result = stage.do(timeout_ms=20)
    assert (result["status"], result["error_type"]) == ("failed", "TimedOut")
    assert result["error"] == "the node was not done within 0.02 s"
    result = stage.do(timeout_ms=60_000, deadline_at=now_us() + 20_000)
    assert (result["status"], result["error_type"]) == ("failed", "TooLate")
    assert broken_off == ["yes", "yes"]


def test_a_time_out_of_something_else_is_not_that_of_the_node() -> None:
    result = Stage(TimeoutError("the storage")).do(timeout_ms=60_000)
    assert (result["error_type"], result["error"]) == ("ExecutorError", "TimeoutError: the storage")


def test_what_the_peer_has_answered_is_told_along() -> None:
    result = Stage(Outcome("failed", error="busy", status_code=429, retry_after_s=2.5)).do()
    assert (result["status_code"], result["retry_after_s"]) == (429, 2.5)
    assert "status_code" not in Stage(Outcome("succeeded")).do()


def test_a_long_error_is_cut() -> None:
    result = Stage(Outcome("failed", error="x" * 1_000_000, error_type="E")).do()
    assert len(result["error"]) < 100_000


async def test_a_task_that_is_executed_again_has_the_same_identity_and_a_further_attempt_another() -> None:
    stage = Stage(Outcome("succeeded"))
    for _ in range(2):  # as after the death of the worker that had it
        await stage.sends()
    await stage.sends(node_execution_id="e-2", attempt=2)
    assert [call.execution_id for call in stage.calls] == ["e-1", "e-1", "e-2"]


async def interrupted(stage: Stage) -> tuple[list[Send], bool]:
    """What is sent for a node that is interrupted half way, and whether it came to know."""
    begun, noticed = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            noticed.set()

    stage.work = work
    doing = asyncio.create_task(stage.sends())
    await begun.wait()
    stage.interruptions.cancel(["e-1"])
    return await doing, noticed.is_set()


async def test_a_node_that_nobody_waits_for_is_interrupted_and_nothing_is_sent_for_it() -> None:
    stage = Stage(Outcome("succeeded"))
    assert await interrupted(stage) == ([], True)
    assert stage.unwanted == ["interrupted"]


async def test_nothing_is_sent_either_for_one_that_takes_it_for_a_failure() -> None:
    stage = Stage(Outcome("succeeded"))

    async def work() -> None:
        stage.interruptions.cancel(["e-1"])
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise RuntimeError("I was told to stop") from None

    stage.work = work
    assert await stage.sends() == []


async def test_a_task_that_was_sent_twice_is_executed_once_at_a_time() -> None:
    stage, begun, end = Stage(Outcome("succeeded")), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await end.wait()

    stage.work = work
    first = asyncio.create_task(stage.sends())
    await begun.wait()
    assert await stage.sends() == []
    assert stage.unwanted == ["repeated"]
    end.set()
    assert len(await first) == 1
    assert len(await stage.sends()) == 1
    assert len(stage.calls) == 2


async def test_a_task_whose_cancel_came_first_is_not_begun() -> None:
    stage = Stage(Outcome("succeeded"))
    stage.interruptions.cancel(["e-1"])
    assert await stage.sends() == []
    assert (stage.calls, stage.unwanted) == ([], ["skipped"])
    assert len(await stage.sends(node_execution_id="e-2")) == 1
