"""The queries of the seed documents, as they stand there. What an ORM says there is its SQL here."""

from typing import Any

import pytest

from schemas.topics import TOPICS
from sinks.table import Table
from tests.sinks import records
from tests.sinks.records import APP, CODEC, START_US, TENANT, WORKFLOW, message
from transport.clickhouse import ClickHouse

FAILED_TRIGGERS = """
SELECT * FROM workflow_trigger_logs
WHERE app_id = :app_id
  AND status = 'FAILED'
ORDER BY created_at DESC;
"""

AVERAGE_TIME = """
SELECT AVG(elapsed_time) as avg_time
FROM workflow_trigger_logs
WHERE status = 'SUCCESS'
  AND workflow_id = :workflow_id;
"""

OF_A_RUN = """
SELECT * FROM workflow_node_executions
WHERE workflow_run_id = :run_id
ORDER BY index
"""

OF_A_NODE = """
SELECT * FROM workflow_node_executions
WHERE tenant_id = :tenant_id
  AND app_id = :app_id
  AND workflow_id = :workflow_id
  AND node_id = :node_id
ORDER BY created_at DESC
"""

RUN = "00000000-0000-0000-0000-00000000002a"


@pytest.fixture
async def written(database: ClickHouse) -> ClickHouse:
    logs = [
        records.trigger_log(status=status, elapsed_time=n / 2, created_at=START_US + n, app_id=app)
        for n, (status, app) in enumerate(
            [("FAILED", APP), ("SUCCESS", APP), ("FAILED", APP), ("SUCCESS", APP), ("FAILED", "another")]
        )
    ]
    # Written twice, and first in another state: each query sees one row for an id, without FINAL.
    logs += [{**logs[0], "revision": 0, "status": "RUNNING"}, logs[1]]
    nodes = [
        records.node(index=n, node_id=node, workflow_run_id=RUN, created_at=START_US + n)
        for n, node in ((3, "end"), (1, "start"), (2, "llm"))
    ]
    nodes += [
        records.node(node_id="llm", created_at=START_US + 9),
        {**nodes[0], "status": "running", "revision": 0},
    ]
    for topic, rows in (("trigger.logs", logs), ("node.executions", nodes)):
        values = [CODEC.encode(TOPICS[topic].schema or "", row) for row in rows]
        batch = [message(topic, value, offset) for offset, value in enumerate(values)]
        assert await Table(topic, database, CODEC).write(batch) == []
    return database


async def _ask(database: ClickHouse, query: str, **values: str) -> list[dict[str, Any]]:
    for name in values:
        query = query.replace(f":{name}", f"{{{name}:String}}")
    return (await database.query(query.strip().removesuffix(";"), values)).dicts()


async def test_failed_triggers_of_an_app_and_their_average_time(written: ClickHouse) -> None:
    found = await _ask(written, FAILED_TRIGGERS, app_id=APP)
    assert [row["created_at"][-7:] for row in found] == ["000002Z", "000000Z"]
    assert {row["status"] for row in found} == {"FAILED"}
    assert await _ask(written, AVERAGE_TIME, workflow_id=WORKFLOW) == [{"avg_time": 1.0}]


async def test_executions_of_a_run_and_of_a_node(written: ClickHouse) -> None:
    found = await _ask(written, OF_A_RUN, run_id=RUN)
    assert [(row["index"], row["node_id"], row["status"]) for row in found] == [
        (1, "start", "succeeded"),
        (2, "llm", "succeeded"),
        (3, "end", "succeeded"),
    ]
    found = await _ask(written, OF_A_NODE, tenant_id=TENANT, app_id=APP, workflow_id=WORKFLOW, node_id="llm")
    assert [row["created_at"][-7:] for row in found] == ["000009Z", "000002Z"]


async def test_the_values_can_be_calculated_with(written: ClickHouse) -> None:
    found = await _ask(
        written,
        "SELECT JSONExtractInt(inputs, 'a') AS a, toTypeName(created_at) AS at, "
        "avg(dateDiff('ms', created_at, triggered_at)) OVER () AS waited FROM workflow_trigger_logs LIMIT 1",
    )
    assert found == [{"a": 1, "at": "DateTime64(6, 'UTC')", "waited": None}]
