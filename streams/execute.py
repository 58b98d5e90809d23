"""The third stage: one node task in, the result for its run out. Stateless, and as concurrent as set."""

import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import now_us
from schemas.secrets import SecretBox
from streams.errors import UnknownVersion
from streams.executors.errors import NodeExecutorError
from streams.executors.outcome import NodeCall, Outcome
from streams.library import secret_placeholder
from streams.shell.stage import Record, TaskStage
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send

log = logging.getLogger(__name__)

QUEUES = ("node.tasks.default", "node.tasks.high_priority", "node.tasks.plugin_triggers")

MASK = "******"
"""What a record shows where an executor has used a secret."""

Execute = Callable[[NodeCall], Awaitable[Outcome]]


class Executor:
    """Reads `node.tasks.*`; writes `run.commands`."""

    def __init__(
        self,
        feed: DefinitionsFeed,
        codec: Codec,
        execute: Execute,
        secrets: SecretBox | None,
        concurrency: int,
    ) -> None:
        self._feed = feed
        self._codec = codec
        self._execute = execute
        self._secrets = secrets
        self._concurrency = concurrency

    def stage(self) -> TaskStage:
        """The declaration that the shell runs."""
        return TaskStage("executor", QUEUES, self.execute, self._concurrency)

    async def execute(self, record: Record) -> list[Send]:
        """Whatever becomes of the node, its run is told."""
        task = self._codec.decode("NodeTask", record.value)
        started_at = now_us()
        secrets: dict[str, str] = {}
        try:
            secrets = self._secrets_of(task)
            outcome = await self._execute(_call(task, secrets))
        except NodeExecutorError as error:
            outcome = Outcome("failed", error=str(error), error_type=type(error).__name__)
        except Exception as error:  # a fault of this worker: the run must not wait for ever
            log.exception("node %s of run %s", task["node_id"], task["workflow_run_id"])
            outcome = Outcome("failed", error=f"{type(error).__name__}: {error}", error_type="ExecutorError")
        payload = _replace(_payload(task, outcome, started_at), dict.fromkeys(secrets.values(), MASK))
        return [self._result(task, payload, tuple(h for h in record.headers if h[0] == "traceparent"))]

    def _secrets_of(self, task: AvroRecord) -> dict[str, str]:
        """Placeholder -> value of the secrets that the task uses."""
        workflow = self._feed.definitions.workflows.get(task["workflow_id"], {}).get(task["version"])
        if workflow is None:
            raise UnknownVersion(f"workflow {task['workflow_id']} has no version {task['version']!r}")
        text, found = task["config"] + task["inputs"], {}
        for variable in workflow.environment_variables:
            placeholder = secret_placeholder(str(variable.get("name")))
            if variable.get("value_type") != "secret" or placeholder not in text:
                continue
            if self._secrets is None:
                raise ValueError(f"{placeholder} is a secret and this worker has no HOPLINE_SECRET_KEY")
            found[placeholder] = self._secrets.decrypt(workflow.tenant_id, str(variable["value"]))
        return found

    def _result(self, task: AvroRecord, payload: str, headers: tuple[tuple[str, bytes], ...]) -> Send:
        command = {
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
        key = task["workflow_run_id"].encode()
        return Send("run.commands", key, self._codec.encode("RunCommand", command), headers)


def _call(task: AvroRecord, secrets: Mapping[str, str]) -> NodeCall:
    config, inputs = (orjson.loads(_replace(task[field], secrets)) for field in ("config", "inputs"))
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
    )


def _payload(task: AvroRecord, outcome: Outcome, started_at: int) -> str:
    return orjson.dumps(
        {
            "node_execution_id": task["node_execution_id"],
            "status": outcome.status,
            "outputs": outcome.outputs,
            "process_data": outcome.process_data,
            "error": outcome.error,
            "error_type": outcome.error_type,
            "edge_source_handle": outcome.edge_source_handle,
            "execution_metadata": outcome.execution_metadata,
            "writes": outcome.writes,
            "started_at": started_at,
            "finished_at": now_us(),
        }
    ).decode()


def _replace(document: str, replacements: Mapping[str, str]) -> str:
    """The JSON document with texts replaced inside its strings."""
    for old, new in replacements.items():
        if old:
            document = document.replace(_within_json(old), _within_json(new))
    return document


def _within_json(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]
