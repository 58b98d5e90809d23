"""The registry of topics: who writes what, where, under which key, and for how long it is kept.

Names are without the prefix of the deployment (`HOPLINE_TOPIC_PREFIX`).
"""

from dataclasses import dataclass
from typing import Literal

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

Owner = Literal["ingress", "route", "engine", "executor", "any"]
Readers = Literal["workers", "sinks", "everybody"]


@dataclass(frozen=True)
class Topic:
    """One topic. `schema` names its values' `.avsc` file; None means opaque bytes."""

    name: str
    schema: str | None
    key: str
    """What the message key is, in words of the schema."""
    owner: Owner
    """Which role writes it."""
    retention_ms: int = 7 * DAY_MS
    """Below a day, segments are as short as that, too: Kafka deletes none that is written to."""
    compacted: bool = False
    rows_of: str | None = None
    """Of a changelog: the topic whose records write its rows, in partitions of the same numbers."""
    read_by: Readers = "workers"
    """Who divides its partitions up. By everybody: it has one, which each process reads whole and in order.
    By workers: sinks may read it too. By sinks: live streams and exports may, but no worker does."""

    def partitions(self, work: int, history: int) -> int:
        """The number of partitions in a deployment that has so many for workers and for sinks."""
        return {"workers": work, "sinks": history, "everybody": 1}[self.read_by]

    def config(self) -> dict[str, str]:
        """Topic-level configuration in Kafka's names."""
        if self.compacted:
            # What was deleted or replaced is gone a day later, also where little is written: without it,
            # segments that are written to are kept for a week, and only then looked at.
            bounds = {"min.cleanable.dirty.ratio": "0.1", "max.compaction.lag.ms": str(DAY_MS)}
            return {"cleanup.policy": "compact", **bounds, **_SIZE}
        config = {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms), **_SIZE}
        return config if self.retention_ms >= DAY_MS else {**config, "segment.ms": str(self.retention_ms)}


MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Of every topic, broker and producer: a webhook body of 10 MiB, encoded and with its headers, must fit."""

_SIZE = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}


def _definitions(kind: str, owner: Owner = "ingress") -> Topic:
    return Topic(f"definitions.{kind}", "Definition", "entity id", owner, compacted=True, read_by="everybody")


def _history(name: str, schema: str, key: str, owner: Owner, retention_days: int = 30) -> Topic:
    return Topic(name, schema, key, owner, retention_ms=retention_days * DAY_MS, read_by="sinks")


def _changelog(table: str, source: str) -> Topic:
    return Topic(f"changelog.{table}", None, "row key", "any", compacted=True, rows_of=source)


_TOPICS = (
    Topic("trigger.events", "TriggerEvent", "dedup_key", "ingress"),
    Topic("run.commands", "RunCommand", "workflow_run_id", "any"),
    Topic("node.tasks.default", "NodeTask", "node_execution_id", "engine"),
    Topic("node.tasks.high_priority", "NodeTask", "node_execution_id", "engine"),
    Topic("node.tasks.plugin_triggers", "NodeTask", "node_execution_id", "engine"),
    Topic(
        "node.cancellations",
        "NodeCancellation",
        "workflow_run_id",
        "engine",
        retention_ms=HOUR_MS,
        read_by="everybody",
    ),
    Topic("schedule.commands", "ScheduleCommand", "schedule_id", "any"),
    Topic("subscription.commands", "SubscriptionCommand", "subscription_id", "any"),
    Topic("source.commands", "SourceCommand", "source_id", "any"),
    Topic("gate.commands", "GateCommand", "gate_key", "any"),
    Topic("conversation.commands", "ConversationCommand", "conversation_key", "any"),
    _history("trigger.logs", "WorkflowTriggerLog", "trigger log id", "any"),
    _history("runs", "WorkflowRun", "workflow_run_id", "engine"),
    _history("node.executions", "WorkflowNodeExecution", "workflow_run_id", "engine"),
    _history("knowledge.documents", "KnowledgeDocument", "document id", "any"),
    _history("knowledge.chunks", "KnowledgeChunk", "document id", "executor"),
    _history("dead.letters", "DeadLetter", "source key", "any", retention_days=90),
    _definitions("apps"),
    _definitions("workflows"),
    _definitions("triggers"),
    _definitions("subscriptions"),
    _definitions("subscription_states", "any"),
    _definitions("oauth_system_clients"),
    _definitions("oauth_tenant_clients"),
    _definitions("api_keys"),
    _definitions("datasets"),
    _definitions("deployments"),
    _definitions("erasures"),
    _definitions("flow_controls"),
    _definitions("github_connections"),
    _definitions("model_providers"),
    _definitions("sandbox_policies"),
    _definitions("slack_connections"),
    Topic(
        "definitions.source_states",
        "Definition",
        "trigger id",
        "any",
        compacted=True,
        read_by="everybody",
    ),
    _definitions("tool_providers"),
    Topic("turns", "Turn", "place", "ingress", retention_ms=HOUR_MS, read_by="everybody"),
    Topic("schemas", None, "schema fingerprint", "any", compacted=True, read_by="everybody"),
    _changelog("conversations", "conversation.commands"),
    _changelog("dedup", "trigger.events"),
    _changelog("gates", "gate.commands"),
    _changelog("runs", "run.commands"),
    _changelog("schedules", "schedule.commands"),
    _changelog("sources", "source.commands"),
    _changelog("subscriptions", "subscription.commands"),
)

TOPICS: dict[str, Topic] = {topic.name: topic for topic in _TOPICS}

HISTORY = (
    "trigger.events",
    "trigger.logs",
    "runs",
    "node.executions",
    "knowledge.documents",
    "knowledge.chunks",
    "dead.letters",
)
"""What the sinks write to ClickHouse, besides the graphs of `definitions.workflows`."""
