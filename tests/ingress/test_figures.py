"""Counts of what has happened, on rows that the sink's tables and the rollups have written."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import TestClient

from schemas.models import DEFAULT_TENANT
from sinks.rollups import Rollups
from tests.ingress.stand_ins import Client, Server, StandIns, assemble, new_settings
from tests.ingress.test_stats import stats
from tests.sinks import records
from tests.sinks.records import START_US, write
from transport.clickhouse import ClickHouse

START = datetime.fromtimestamp(START_US / 1e6, UTC)


@pytest.fixture
async def with_history(stand_ins: StandIns, database: ClickHouse) -> AsyncIterator[Client]:
    metadata = '{"total_tokens": 12, "total_price": "0.25", "currency": "USD"}'
    ended = {"status": "FAILED", "finished_at": START_US + 1_000_000, "elapsed_time": 1.0}
    for tenant in (DEFAULT_TENANT, "somebody-else"):
        for topic, row in (
            ("runs", records.run(tenant_id=tenant, **ended)),
            ("runs", records.run(tenant_id=tenant, status="RUNNING")),
            ("node.executions", records.node(tenant_id=tenant, execution_metadata=metadata)),
            ("trigger.logs", records.trigger_log(tenant_id=tenant)),
            ("dead.letters", records.dead_letter(tenant_id=tenant)),
        ):
            await write(database, topic, row)
    await Rollups(database).refresh()
    async with TestClient(Server(assemble(stand_ins, new_settings(), database))) as client:
        yield client


async def test_what_has_happened_is_counted_for_the_tenant_that_asks(with_history: Client) -> None:
    span = {
        "since": (START - timedelta(minutes=5)).isoformat(),
        "until": (START + timedelta(hours=1)).isoformat(),
    }
    history = (await stats(with_history, **span))["history"]
    runs = history["runs"]
    assert (runs["total"], runs["failed"], runs["running"], runs["failure_rate"]) == (2, 1, 1, 1.0)
    assert runs["elapsed_s"] == {"p50": 1.0, "p95": 1.0, "p99": 1.0}
    assert sum(one["total"] for one in history["triggers"].values()) == 1
    assert (history["nodes"]["total"], history["nodes"]["price"]) == (1, {"USD": 0.25})
    assert history["dead_letters"]["total"] == 1
    before = {"since": "2001-01-01T00:00Z", "until": "2001-01-02T00:00Z"}
    empty = (await stats(with_history, **before))["history"]
    assert empty["runs"]["total"] == 0
    assert (empty["runs"]["elapsed_s"], empty["runs"]["failure_rate"], empty["triggers"]) == (None, None, {})
