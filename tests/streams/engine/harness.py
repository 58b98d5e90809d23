"""A run in memory: commands in, records out, each of which must fit its Avro schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.codec import SingleObjectCodec
from schemas.models import WorkflowType
from streams.engine.advance import Advanced, advance
from streams.engine.commands import Cancel, Command, NodeResult, Start
from streams.engine.definition import Compiler, Definition
from streams.engine.effects import (
    ConversationChanged,
    Effect,
    LogChanged,
    NodeExecuted,
    RunChanged,
    TasksCancelled,
    TaskScheduled,
)
from streams.engine.options import DEFAULTS, Options
from streams.engine.state import SPLIT_BYTES, RunState, decode, encode
from tests.graphs import Json

NOW = 1_700_000_000_000_000
SCHEMAS = {
    NodeExecuted: "WorkflowNodeExecution",
    RunChanged: "WorkflowRun",
    LogChanged: "WorkflowTriggerLog",
    TaskScheduled: "NodeTask",
    TasksCancelled: "NodeCancellation",
    ConversationChanged: "ConversationCommand",
}
CODEC = SingleObjectCodec()
LOG: Json = {
    "id": "log", "revision": 1, "tenant_id": "tenant", "app_id": "app", "workflow_id": "workflow",
    "workflow_run_id": "run", "trigger_type": "WEBHOOK", "trigger_data": "{}", "inputs": "{}",
    "status": "PENDING", "queue_name": "high_priority", "created_by_role": "account", "created_by": "ada",
    "created_at": NOW - 2_000_000, "outputs": None, "error": None, "elapsed_time": None,
    "triggered_at": None, "finished_at": None,
}  # fmt: skip


def compiled(graph: Json, kind: str = WorkflowType.WORKFLOW, **more: Any) -> Definition:
    """The definition of a graph."""
    return Compiler().compile(graph, workflow_type=kind, **more)


def start_command(inputs: Mapping[str, Any], **more: Any) -> Start:
    """What the router sends, without a trigger log unless one is given."""
    return Start("start", "run", "tenant", "app", "workflow", "v1", NOW, inputs, **more)


class Rows:
    """Rows in a dictionary."""

    def __init__(self, rows: dict[str, bytes]) -> None:
        self._rows = rows

    def get(self, key: str) -> bytes | None:
        """See `PartRows`."""
        return self._rows.get(key)

    def all_keys(self) -> Iterator[str]:
        """See `PartRows`."""
        return iter(self._rows)


class Run:
    """The latest state and everything that has come of it. The state goes through its bytes at each step."""

    def __init__(
        self,
        definition: Definition | Json,
        options: Options = DEFAULTS,
        split_bytes: int = SPLIT_BYTES,
    ) -> None:
        """With `split_bytes=0` each part of the state is a row of its own from the start."""
        self.definition = definition if isinstance(definition, Definition) else compiled(definition)
        self.options = options
        self.state: RunState | None = None
        self.effects: list[Effect] = []
        self.now_us = NOW
        self.rows: dict[str, bytes] = {}
        self.split_bytes = split_bytes

    def tell(self, command: Command) -> Advanced:
        """One command, a second after the one before."""
        state = self._read_back() if self.state else None
        advanced = advance(self.definition, state, command, self.now_us, self.options)
        self.now_us += 1_000_000
        self.state = advanced.state
        self.effects += advanced.effects
        for effect in advanced.effects:
            schema = SCHEMAS[type(effect)]
            read = CODEC.decode(schema, CODEC.encode(schema, effect.record))
            assert read == read | effect.record
        return advanced

    def rehearse(self, command: Command) -> Advanced:
        """What the command would come to now."""
        state = self._read_back() if self.state else None
        return advance(self.definition, state, command, self.now_us, self.options)

    def written(self) -> tuple[bytes, dict[str, bytes]]:
        """The row of the run and those of its parts, as they are now."""
        assert self.state is not None
        head, rows = encode(self.state, self.split_bytes)
        for key, row in rows.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        return head, dict(self.rows)

    def _read_back(self) -> RunState:
        """The state as the next command finds it: whatever was written, and nothing else."""
        head, rows = self.written()
        return decode(head, Rows(rows))

    def start(self, inputs: Mapping[str, Any] | None = None, **more: Any) -> "Run":
        """Begins it."""
        self.tell(start_command(inputs or {}, **more))
        return self

    def answer(self, node_id: str, **outputs: Any) -> Advanced:
        """The executor succeeds with a node."""
        return self.tell(NodeResult("r", self.task(node_id)["node_execution_id"], "succeeded", outputs))

    def refuse(self, node_id: str, error: str = "it broke", error_type: str | None = "Broken") -> Advanced:
        """The executor fails with a node."""
        execution = self.task(node_id)["node_execution_id"]
        return self.tell(NodeResult("r", execution, "failed", error=error, error_type=error_type))

    def succeed(self, task: Json, metadata: Mapping[str, Any] | None = None, /, **outputs: Any) -> Advanced:
        """The executor succeeds with a task."""
        execution = task["node_execution_id"]
        result = NodeResult("r", execution, "succeeded", outputs, execution_metadata=metadata or {})
        return self.tell(result)

    def break_(self, task: Json, error: str = "it broke") -> Advanced:
        """The executor fails with a task."""
        result = NodeResult("r", task["node_execution_id"], "failed", error=error, error_type="Broken")
        return self.tell(result)

    def cancel(self, reason: str = "enough") -> Advanced:
        """Somebody stops it."""
        return self.tell(Cancel("c", reason))

    def records(self, kind: type[Effect]) -> list[Json]:
        """All records of a kind, in order."""
        return [effect.record for effect in self.effects if isinstance(effect, kind)]

    def task(self, node_id: str) -> Json:
        """The task of a node."""
        (task,) = [record for record in self.records(TaskScheduled) if record["node_id"] == node_id]
        return task

    def node(self, node_id: str) -> Json:
        """The latest record of a node."""
        return [record for record in self.records(NodeExecuted) if record["node_id"] == node_id][-1]

    @property
    def nodes(self) -> list[str]:
        """Ids in the order of their first records."""
        return list(dict.fromkeys(record["node_id"] for record in self.records(NodeExecuted)))

    @property
    def run(self) -> Json:
        """The latest record of the run."""
        return self.records(RunChanged)[-1]
