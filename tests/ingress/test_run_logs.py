"""What the nodes of a run have said, over HTTP."""

import orjson

from schemas.ids import new_id
from tests.ingress.stand_ins import Client
from tests.ingress.test_reading_routes import call, client
from tests.sinks import records
from tests.sinks.records import START_US, write_own
from transport.clickhouse import ClickHouse

__all__ = ["client"]


async def test_lines_come_in_order_page_by_page(client: Client, database: ClickHouse) -> None:
    run, other = records.run(), {**records.run(), "owner": new_id()}
    await write_own(database, "runs", run, other)
    spoke = records.node(
        workflow_run_id=run["id"],
        index=2,
        node_id="say",
        process_data=orjson.dumps({"stdout": "one\n\ntwo"}).decode(),
        finished_at=START_US + 20,
    )
    failed = records.node(
        workflow_run_id=run["id"], index=3, status="failed", error="it broke", finished_at=START_US + 30
    )
    silent = records.node(workflow_run_id=run["id"], finished_at=START_US + 10)
    await write_own(database, "node.executions", failed, spoke, silent)
    path, lines = f"/runs/{run['id']}/logs", []
    query = "?limit=1"
    while query:
        page = await call(client, "GET", path + query)
        lines += page["data"]
        query = f"?limit=1&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert [(one["level"], one["source"], one["text"]) for one in lines] == [
        ("INFO", "stdout", "one"),
        ("INFO", "stdout", "two"),
        ("ERROR", "error", "it broke"),
    ]
    assert lines == (await call(client, "GET", path))["data"]
    of_one = (await call(client, "GET", f"{path}?node_id=say"))["data"]
    assert {one["node_execution_id"] for one in of_one} == {spoke["id"]}
    assert lines[0]["timestamp"].endswith("Z")
    await call(client, "GET", f"{path}?cursor=x", 400)
    await call(client, "GET", f"/runs/{other['id']}/logs", 404)
