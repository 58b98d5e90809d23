"""Records of one run as the engine would write them, and Kafka messages around them."""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from schemas.codec import SingleObjectCodec
from schemas.models import DEFAULT_TENANT
from schemas.topics import TOPICS
from sinks.table import Table
from transport.clickhouse import ClickHouse

CODEC = SingleObjectCodec()
TENANT = str(uuid.UUID(int=1))
APP = str(uuid.UUID(int=2))
WORKFLOW = str(uuid.UUID(int=3))
START_US = 1_795_000_000_000_000


def event(**changes: Any) -> dict[str, Any]:
    """A `TriggerEvent`."""
    return {
        "event_id": str(uuid.uuid4()),
        "trigger_id": "delivery-1",
        "dedup_key": "WEBHOOK:hook:delivery-1",
        "dedup_window_ms": 30_000,
        "tenant_id": TENANT,
        "trigger_type": "WEBHOOK",
        "received_at": START_US,
        "data": "{}",
        **changes,
    }


def trigger_log(**changes: Any) -> dict[str, Any]:
    """A `WorkflowTriggerLog`, pending."""
    return {
        "id": str(uuid.uuid4()),
        "revision": 1,
        "tenant_id": TENANT,
        "app_id": APP,
        "workflow_id": WORKFLOW,
        "trigger_type": "WEBHOOK",
        "trigger_data": '{"type":"webhook"}',
        "inputs": '{"a":1}',
        "status": "PENDING",
        "created_at": START_US,
        **changes,
    }


def run(**changes: Any) -> dict[str, Any]:
    """A `WorkflowRun`, running."""
    return {
        "id": str(uuid.uuid4()),
        "revision": 1,
        "tenant_id": TENANT,
        "app_id": APP,
        "workflow_id": WORKFLOW,
        "type": "workflow",
        "triggered_from": "app-run",
        "version": "2026-01-01 00:00:00.000000",
        "graph_hash": "0" * 64,
        "inputs": '{"a":1}',
        "status": "RUNNING",
        "created_at": START_US,
        "event_at": changes.get("created_at", START_US),
        **changes,
    }


def node(**changes: Any) -> dict[str, Any]:
    """A `WorkflowNodeExecution`, succeeded."""
    execution = str(uuid.uuid4())
    return {
        "id": execution,
        "revision": 1,
        "tenant_id": TENANT,
        "app_id": APP,
        "workflow_id": WORKFLOW,
        "triggered_from": "workflow-run",
        "workflow_run_id": str(uuid.UUID(int=4)),
        "index": 1,
        "node_execution_id": execution,
        "node_id": "start",
        "node_type": "start",
        "title": "Start",
        "inputs": '{"a":1}',
        "status": "succeeded",
        "elapsed_time": 0.5,
        "created_at": START_US,
        "event_at": changes.get("created_at", START_US),
        **changes,
    }


def dead_letter(**changes: Any) -> dict[str, Any]:
    """A `DeadLetter`."""
    return {
        "id": str(uuid.uuid4()),
        "topic": "run.commands",
        "partition": 1,
        "offset": 2,
        "key": b"\xff\x00",
        "value": b"\x00\x01\xfe",
        "headers": [{"name": "traceparent", "value": b"\xff"}],
        "stage": "engine",
        "reason": "undecodable",
        "created_at": START_US,
        **changes,
    }


def workflow(graph: Any, version: str = "2026-01-01 00:00:00.000000") -> bytes:
    """A `Definition` of a workflow, framed."""
    body = {
        "id": WORKFLOW,
        "app_id": APP,
        "type": "workflow",
        "version": version,
        "graph": graph,
    }
    record = {
        "id": WORKFLOW,
        "kind": "Workflow",
        "tenant_id": TENANT,
        "body": orjson.dumps(body).decode(),
        "updated_at": START_US,
    }
    return CODEC.encode("Definition", record)


def message(
    topic: str,
    value: bytes | None,
    offset: int = 0,
    partition: int = 0,
    key: bytes = b"key",
    sent_ms: int = 0,
) -> Message:
    """As a consumer gets it."""
    place: dict[str, Any] = {"topic": topic, "partition": partition, "offset": offset}
    return Message(**place, key=key, value=value, headers=[], timestamp=(TIMESTAMP_CREATE_TIME, sent_ms))


async def write(clickhouse: ClickHouse, topic: str, *rows: Mapping[str, Any]) -> None:
    """As the sink writes them, in one batch."""
    values = [CODEC.encode(TOPICS[topic].schema or "", row) for row in rows]
    batch = [message(topic, value, offset) for offset, value in enumerate(values)]
    assert await Table(topic, clickhouse, CODEC).write(batch) == []


async def write_own(clickhouse: ClickHouse, topic: str, *rows: Mapping[str, Any]) -> None:
    """Likewise, as rows of the tenant that an ingress for tests asks for, or of their `owner`."""
    owned = [{**row, "tenant_id": row.get("owner", DEFAULT_TENANT)} for row in rows]
    await write(clickhouse, topic, *owned)
