"""Hopline: the engine in memory, its tasks done by the real executors."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

import orjson
from obstore.store import MemoryStore

from schemas.models.model_provider import ModelProvider
from streams.engine.commands import Command, Timer, command_of
from streams.engine.definition import compile_definition
from streams.engine.effects import NodeExecuted, TaskScheduled
from streams.engine.options import DEFAULTS, Options
from streams.engine.pure import execute_pure, is_pure
from streams.executors.catalog import Catalog
from streams.executors.errors import NodeExecutorError
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.registry import build_executors
from streams.executors.settings import EgressSettings, ExecutorSettings, HttpSettings, SandboxSettings
from tests.differential.job import Job, Node, Result
from tests.differential.world import World
from tests.graphs import Json
from tests.streams.engine.harness import Run
from transport.definitions import Definitions
from transport.files import FileLinks, FileStore
from transport.storage import Storage

_MAX_TIMERS = 50
_SETTINGS = ExecutorSettings(
    sandbox=SandboxSettings(pool_size=1),
    egress=EgressSettings(allow=("127.0.0.1",)),
    http=HttpSettings(max_connect_timeout_s=5, max_read_timeout_s=20),
)


class Hopline:
    """All that runs a job, on a loop in a thread of its own: the peer needs the world, too, and blocks."""

    def __init__(self) -> None:
        self.world = World()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()

    def __enter__(self) -> "Hopline":
        self._thread.start()
        self._wait(self._start())
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._wait(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def placed(self, job: Job) -> Job:
        """The job with `env.base`, the URL of the world."""
        base = {"name": "base", "value_type": "string", "value": self.world.url}
        return replace(job, environment=[*job.environment, base])

    def run(self, job: Job, options: Options = DEFAULTS) -> Result:
        """Blocks. Raises `InvalidDefinition` for a graph that is not taken."""
        self.world.begin(job.models)
        result = self._wait(self._play(job, options))
        return replace(result, asked=self.world.asked)

    async def _start(self) -> None:
        await self.world.start()
        self._stack.push_async_callback(self.world.stop)
        files = FileStore(Storage(MemoryStore()), FileLinks("", "", 60))
        catalog = Catalog(_definitions(self.world.url), None)
        self._executors = await self._stack.enter_async_context(build_executors(_SETTINGS, catalog, files))

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    async def _play(self, job: Job, options: Options) -> Result:
        """Tasks are done in the order in which they are scheduled, timers go off when there are none."""
        definition = compile_definition(
            job.graph,
            workflow_type=job.type,
            environment_variables=job.environment,
            conversation_variables=job.conversation,
        )
        run = Run(definition, options)
        run.start(job.inputs, system={"query": job.query} if job.query else {})
        done = timers = 0
        while not run.run["finished_at"]:
            tasks = run.records(TaskScheduled)
            if done < len(tasks):
                run.tell(await self._result(tasks[done]))
                done += 1
                continue
            timers += 1
            assert timers <= _MAX_TIMERS, "the run waits, and nothing will come"
            run.tell(Timer(f"timer {timers}"))
        return _read(run)

    async def _result(self, task: Json) -> Command:
        config, inputs = orjson.loads(task["config"]), orjson.loads(task["inputs"])
        if is_pure(task["node_type"]):
            payload = execute_pure(task["node_type"], config, inputs)._asdict()
        else:
            payload = _payload(await self._execute(task, config, inputs))
        payload["node_execution_id"] = task["node_execution_id"]
        record = {"command_id": "result", "kind": "NODE_RESULT", "payload": orjson.dumps(payload).decode()}
        return command_of(record)

    async def _execute(self, task: Json, config: Json, inputs: Json) -> Outcome:
        call = NodeCall(
            node_type=task["node_type"],
            config=config,
            inputs=inputs,
            execution_id=task["node_execution_id"],
            tenant_id="tenant",
            app_id="app",
            workflow_id="workflow",
            run_id="run",
            node_id=task["node_id"],
            attempt=task["attempt"],
        )
        try:
            return await self._executors.execute(call)
        except NodeExecutorError as error:
            return Outcome("failed", error=str(error), error_type=type(error).__name__)


def _payload(outcome: Outcome) -> Json:
    names = ("status", "outputs", "process_data", "error", "error_type", "edge_source_handle",
             "execution_metadata", "writes")  # fmt: skip
    return {name: getattr(outcome, name) for name in names}


def _definitions(url: str) -> Definitions:
    """A provider that stands for all that nodes name."""
    definitions = Definitions()
    provider = ModelProvider(
        id="canned", name="canned", tenant_id="tenant", base_url=f"{url}/v1", default=True, max_retries=0
    )
    definitions.apply("definitions.model_providers", provider.id, provider)
    return definitions


def _read(run: Run) -> Result:
    ended = run.run
    records = run.records(NodeExecuted)
    by_id = {record["id"]: record for record in records}
    return Result(
        ended["status"],
        ended["error"],
        orjson.loads(ended["outputs"] or "{}"),
        [record["node_id"] for record in by_id.values()],
        [_node(record) for record in records if record["finished_at"]],
    )


def _node(record: Json) -> Node:
    metadata = orjson.loads(record["execution_metadata"] or "{}")
    outputs = orjson.loads(record["outputs"] or "{}")
    return Node(
        id=record["node_id"],
        container=metadata.get("iteration_id") or metadata.get("loop_id") or "",
        index=metadata.get("iteration_index", metadata.get("loop_index")),
        status=record["status"],
        inputs=orjson.loads(record["inputs"] or "{}"),
        outputs=outputs,
        process=orjson.loads(record["process_data"] or "{}"),
        handle=None,
        error=record["error"],
        error_type=outputs.get("error_type"),
    )
