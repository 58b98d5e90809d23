"""Hopline: the engine in memory, its tasks done by the real executors."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

import orjson
from obstore.store import MemoryStore

from schemas.models.model_provider import ModelProvider
from streams.engine.commands import Command, Resume, Timer, command_of
from streams.engine.definition import Compiler
from streams.engine.effects import NodeExecuted, TaskScheduled
from streams.engine.options import DEFAULTS, Options
from streams.engine.pure import execute_pure, is_pure
from streams.executors.catalog import Catalog
from streams.executors.errors import NodeExecutorError
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.registry import build_executors
from streams.executors.settings import EgressSettings, ExecutorSettings, HttpSettings, SandboxSettings
from tests.differential.canned_tools import configure_tools
from tests.differential.job import Job, Node, Result
from tests.differential.world import World
from tests.graphs import Json
from tests.streams.engine.harness import Run
from transport.definitions import Definitions
from transport.files import FileLinks, FileStore, StoredFile
from transport.storage import Storage

Execute = Callable[[NodeCall], Awaitable[Outcome]]

_MAX_TIMERS = 50
_LONG_US = 400 * 86_400 * 1_000_000
"""Longer than anybody is waited for."""
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
        """The job with `env.base`, the URL of the world, which `{base}` in the inputs stands for, too."""
        base = {"name": "base", "value_type": "string", "value": self.world.url}
        inputs = orjson.loads(orjson.dumps(job.inputs).replace(b"{base}", self.world.url.encode()))
        return replace(job, inputs=inputs, environment=[*job.environment, base])

    def run(self, job: Job, options: Options = DEFAULTS, execute: Execute | None = None) -> Result:
        """Blocks. Raises `InvalidDefinition` for a graph that is not taken.

        `execute` stands for the executors."""
        self.world.begin(job.models, job.tools)
        if job.tools:
            self.configure(lambda definitions: configure_tools(definitions, job, self.world.url))
        result: Result = self._wait(self._play(job, options, execute or self.execute))
        return replace(result, asked=self.world.asked, called=self.world.called)

    def configure(self, change: Callable[[Definitions], None]) -> None:
        """Changes what the tenant has configured, on the loop that reads it."""

        async def apply() -> None:
            change(self._definitions)

        self._wait(apply())

    def save(self, file: StoredFile, content: bytes) -> Json:
        """An uploaded file, as runs get it."""
        self._wait(self._files.save(file, content))
        return self._files.value(file, "local_file")

    async def execute(self, call: NodeCall) -> Outcome:
        """By the executors. On the loop."""
        try:
            return await self._executors.execute(call)
        except NodeExecutorError as error:
            return Outcome("failed", error=str(error), error_type=type(error).__name__)

    async def _start(self) -> None:
        await self.world.start()
        self._stack.push_async_callback(self.world.stop)
        files = self._files = FileStore(Storage(MemoryStore()), FileLinks("", "", 60))
        self._definitions = _definitions(self.world.url)
        catalog = Catalog(self._definitions, None)
        self._executors = await self._stack.enter_async_context(build_executors(_SETTINGS, catalog, files))

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    async def _play(self, job: Job, options: Options, execute: Execute) -> Result:
        """Tasks are done in the order in which they are scheduled, timers go off when there are none."""
        definition = Compiler().compile(
            job.graph,
            workflow_type=job.type,
            environment_variables=job.environment,
            conversation_variables=job.conversation,
        )
        run = Run(definition, options)
        run.start(job.inputs, system={"query": job.query} if job.query else {})
        done = timers = 0
        unanswered = dict(job.answers)
        while not run.run["finished_at"]:
            tasks = run.records(TaskScheduled)
            if done < len(tasks):
                run.tell(await _result(tasks[done], execute))
                done += 1
                continue
            if run.run["status"] == "PAUSED":
                if not _answered(run, unanswered):
                    break
                continue
            timers += 1
            assert timers <= _MAX_TIMERS, "the run waits, and nothing will come"
            run.tell(Timer(f"timer {timers}"))
        return _read(run)


def _answered(run: Run, answers: dict[str, Json]) -> bool:
    """One of the nodes that wait has got its answer; False if there is none for them. Each is asked once."""
    waiting = [one["node_id"] for one in run.records(NodeExecuted) if one["status"] == "paused"]
    node_id = next((one for one in waiting if one in answers), None)
    if node_id is None:
        return False
    if answer := answers.pop(node_id):
        given = {"inputs": answer.get("inputs") or {}, "action": answer["action"]}
        run.tell(Resume(f"answer {node_id}", f"answer {node_id}", node_id=node_id, **given))
    else:
        run.now_us += _LONG_US
        run.tell(Timer(f"late {node_id}"))
    return True


async def _result(task: Json, execute: Execute) -> Command:
    config, inputs = orjson.loads(task["config"]), orjson.loads(task["inputs"])
    if is_pure(task["node_type"]):
        payload = execute_pure(task["node_type"], config, inputs)._asdict()
    else:
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
        payload = _payload(await execute(call))
    payload["node_execution_id"] = task["node_execution_id"]
    record = {"command_id": "result", "kind": "NODE_RESULT", "payload": orjson.dumps(payload).decode()}
    return command_of(record)


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
    return Result(
        ended["status"],
        ended["error"],
        orjson.loads(ended["outputs"] or "{}"),
        _order(records),
        [_node(record) for record in records if record["finished_at"]],
    )


def _order(records: Sequence[Json]) -> list[str]:
    """Node ids as they are reached; further attempts have the number of the first. Not as they are recorded:
    of a pure node there may be nothing before its end."""
    by_number = {record["index"]: record["node_id"] for record in records}
    return [by_number[number] for number in sorted(by_number)]


def _node(record: Json) -> Node:
    """Without the request that a tool has made: what graphon's tools do is not known to it."""
    shown = record["process_data"] if record["node_type"] != "tool" else None
    metadata = orjson.loads(record["execution_metadata"] or "{}")
    return Node(
        id=record["node_id"],
        round=[metadata.get("iteration_index"), metadata.get("loop_index")],
        status=record["status"],
        inputs=orjson.loads(record["inputs"] or "{}"),
        outputs=orjson.loads(record["outputs"] or "{}"),
        process=orjson.loads(shown or "{}"),
        error=record["error"],
    )
