"""The third stage: one node task in, the result for its run out. Stateless, and as concurrent as set."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import now_us
from schemas.models import ToolProvider
from schemas.references import document_digest, may_have_references
from schemas.secrets import SecretBox
from schemas.traces import TRACEPARENT, context_of
from streams.calls import WorkflowCalls
from streams.engine.pure import is_pure
from streams.errors import UnknownVersion
from streams.executors.errors import NodeExecutorError, TimedOut, TooLate
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.tools.errors import ToolParameterError
from streams.interruptions import Interruptions
from streams.offload import Owner, packed, packed_outputs
from streams.placeholders import placeholder
from streams.pure_tasks import done_at_once
from streams.results import failed, masked, noting, payload_of
from streams.shell.stage import Record, TaskStage
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.telemetry.work import CURRENT, Work
from transport.values import Upload, ValueStore

log = logging.getLogger(__name__)

QUEUES = ("node.tasks.default", "node.tasks.high_priority", "node.tasks.plugin_triggers")

_MOST_S = 86_400.0
"""Of a task that has no limit at all, as earlier releases have sent them."""

Headers = tuple[tuple[str, bytes], ...]

Execute = Callable[[NodeCall], Awaitable[Outcome]]
Count = Callable[[str], None]


class Executor:
    """Reads `node.tasks.*`; writes `run.commands`."""

    def __init__(
        self,
        feed: DefinitionsFeed,
        codec: Codec,
        execute: Execute,
        secrets: SecretBox | None,
        concurrency: int,
        values: ValueStore,
        *,
        calls: WorkflowCalls,
        interruptions: Interruptions,
        unwanted: Count = lambda _: None,
        most_calls: int = 100,
    ) -> None:
        """`unwanted` is told of each task without a result: interrupted, skipped or repeated. `most_calls`:
        how many requests to others are noted of one node."""
        self._most_calls = most_calls
        self._unwanted = unwanted
        self._interruptions = interruptions
        self._values = values
        self._calls = calls
        self._feed = feed
        self._codec = codec
        self._execute = execute
        self._secrets = secrets
        self._concurrency = concurrency

    def stage(self) -> TaskStage:
        """The declaration that the shell runs."""
        return TaskStage("executor", QUEUES, self.execute, self._concurrency)

    def execute(self, record: Record) -> list[Send] | Coroutine[Any, Any, list[Send]]:
        """Whatever becomes of the node, its run is told: now, or by the run that was started for it. Unless
        that run has ended meanwhile: then the node is left as it is, and nobody is told anything."""
        task = self._codec.decode("NodeTask", record.value)
        if task["node_execution_id"] in self._interruptions:
            self._unwanted("skipped")
            return []
        headers = tuple([h for h in record.headers if h[0] == TRACEPARENT])
        payload = done_at_once(task)
        if payload is not None:
            return [self._command(self._result(task, payload), headers)]
        return self._take_time(task, headers)

    async def _take_time(self, task: AvroRecord, headers: Headers) -> list[Send]:
        execution_id = task["node_execution_id"]
        if self._interruptions.is_under_way(execution_id):
            # The engine has sent it twice, for a crash in between. It is behind the one that is under way, in
            # the same partition, and not acknowledged before that one's result is sent.
            self._unwanted("repeated")
            return []
        sends: list[Send] = []
        async with self._interruptions.during(execution_id) as work:
            doing = self._work(task, headers)
            before = CURRENT.set(doing)
            try:
                sends = await self._done(task, headers, doing)
            finally:
                doing.over = True
                CURRENT.reset(before)
        if not work.interrupted:
            return sends
        self._unwanted("interrupted")
        return []

    async def _done(self, task: AvroRecord, headers: Headers, doing: Work) -> list[Send]:
        started_at = now_us()
        secrets: dict[str, str] = {}
        limit = _limit(task, started_at)
        try:
            if limit.left_s <= 0:
                raise TooLate("the time of the node or of its run was up before it was its turn")
            async with asyncio.timeout(limit.left_s) as clock:
                await self._unpack(task)
                secrets = self._secrets_of(task)
                call = await self._call(task, secrets, doing.traceparent)
                if (provider := self._calls.provider(call)) is not None:
                    return [await self._start(provider, call, task, secrets, headers)]
                outcome = noting(await self._execute(call), doing.calls)
                payload = await self._pack(task, outcome, started_at, secrets)
        except Exception as caught:  # the run must not wait for ever
            error = limit.error if isinstance(caught, TimeoutError) and clock.expired() else caught
            if not isinstance(error, NodeExecutorError):  # a fault of this worker
                log.exception("node %s of run %s", task["node_id"], task["workflow_run_id"])
            payload = failed(task, error, started_at, secrets, doing.calls)
        return [self._command(self._result(task, payload), headers)]

    async def _start(
        self,
        provider: ToolProvider,
        call: NodeCall,
        task: AvroRecord,
        secrets: Mapping[str, str],
        headers: Headers,
    ) -> Send:
        """Raises `NodeExecutorError` for a workflow that cannot be called like that."""
        if secrets:
            # The records of that run would show them.
            raise ToolParameterError("a workflow cannot be given a secret: let it have one of its own")
        uploads: list[Upload] = []
        command = self._calls.start(provider, call, task, uploads)
        await self._values.put_all(uploads)
        return self._command(command, headers)

    def _work(self, task: AvroRecord, headers: Headers) -> Work:
        context = context_of(headers[0][1].decode("ascii", "replace")) if headers else None
        return Work(
            execution_id=task["node_execution_id"],
            run_id=task["workflow_run_id"],
            tenant_id=task["tenant_id"],
            node_id=task["node_id"],
            traceparent=context.traceparent if context else "",
            most_calls=self._most_calls,
        )

    async def _unpack(self, task: AvroRecord) -> None:
        """Puts the documents of the task where the message only refers to them."""
        for field in ("config", "inputs"):
            digest = document_digest(task[field])
            if digest is not None:
                task[field] = (await self._values.get(_owner(task).key(digest))).decode()

    async def _call(self, task: AvroRecord, secrets: Mapping[str, str], traceparent: str) -> NodeCall:
        config, inputs = [await self._read(task, field, secrets) for field in ("config", "inputs")]
        return NodeCall(
            node_type=task["node_type"],
            config=config,
            inputs=inputs,
            execution_id=task["node_execution_id"],
            tenant_id=task["tenant_id"],
            app_id=task["app_id"],
            workflow_id=task["workflow_id"],
            run_id=task["workflow_run_id"],
            node_id=task["node_id"],
            attempt=task["attempt"],
            traceparent=traceparent,
            secrets=frozenset(secret for secret in secrets.values() if secret),
        )

    async def _read(self, task: AvroRecord, field: str, secrets: Mapping[str, str]) -> Any:
        document = _replace(task[field], secrets)
        value = orjson.loads(document)
        if not may_have_references(document):
            return value
        return await self._values.resolve(task["tenant_id"], task["workflow_run_id"], value)

    async def _pack(
        self, task: AvroRecord, outcome: Outcome, started_at: int, secrets: Mapping[str, str]
    ) -> str:
        """The result as a message carries it, once what it refers to is stored."""
        outcome = masked(outcome, secrets)
        owner, uploads = _owner(task), list[Upload]()
        outputs: Any = outcome.outputs
        # What a pure node gives is looked at by the engine itself: it goes with the message, or as a whole.
        if not is_pure(task["node_type"]):
            contents = {name: orjson.dumps(value) for name, value in outputs.items()}
            outputs = packed_outputs(contents, owner, uploads)
        payload = packed(payload_of(task, outcome, outputs, started_at), owner, uploads)
        await self._values.put_all(uploads)
        return payload

    def _secrets_of(self, task: AvroRecord) -> dict[str, str]:
        """Placeholder -> value of the secrets that the task uses. A pure node uses none: what it is given is
        handed on by the engine."""
        if is_pure(task["node_type"]):
            return {}
        workflow = self._feed.definitions.versions(task["workflow_id"]).head(task["version"])
        if workflow is None:
            raise UnknownVersion(task["workflow_id"], task["version"])
        text, found = task["config"] + task["inputs"], {}
        for variable in workflow.secret_variables:
            if (stand_in := placeholder(variable)) not in text:
                continue
            if self._secrets is None:
                name = variable.get("name")
                raise ValueError(f"env.{name} is a secret and this worker has no HOPLINE_SECRET_KEY")
            found[stand_in] = self._secrets.decrypt(workflow.tenant_id, str(variable["value"]))
        return found

    def _command(self, command: AvroRecord, headers: Headers) -> Send:
        key = command["workflow_run_id"].encode()
        return Send("run.commands", key, self._codec.encode("RunCommand", command), headers)

    def _result(self, task: AvroRecord, payload: str) -> AvroRecord:
        return {
            "command_id": f"result/{task['node_execution_id']}",
            "kind": "NODE_RESULT",
            "workflow_run_id": task["workflow_run_id"],
            "tenant_id": task["tenant_id"],
            "app_id": task["app_id"],
            "workflow_id": task["workflow_id"],
            "version": task["version"],
            "workflows_offset": self._feed.offset(WORKFLOWS),
            "issued_at": now_us(),
            "payload": payload,
        }


class _Limit(NamedTuple):
    """On the time of one task."""

    left_s: float
    error: NodeExecutorError
    """What the node fails with after that."""


def _limit(task: AvroRecord, now: int) -> _Limit:
    """That of the node, or that of whoever waits for it where this is less."""
    timeout_ms, deadline_at = task["timeout_ms"], task["deadline_at"]
    own_s = timeout_ms / 1e3 if timeout_ms is not None else math.inf
    left_s = (deadline_at - now) / 1e6 if deadline_at is not None else math.inf
    if own_s <= left_s:
        return _Limit(min(own_s, _MOST_S), TimedOut(f"the node was not done within {own_s:g} s"))
    return _Limit(left_s, TooLate("the time of the run was up before the node was done"))


def _owner(task: AvroRecord) -> Owner:
    return Owner(task["tenant_id"], task["workflow_run_id"])


def _replace(document: str, replacements: Mapping[str, str]) -> str:
    """The JSON document with texts replaced inside its strings."""
    for old, new in replacements.items():
        if old:
            document = document.replace(_within_json(old), _within_json(new))
    return document


def _within_json(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]
