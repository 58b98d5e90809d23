"""Megabytes through a worker and the real broker: messages stay small, nodes see the whole."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from ingress.assembly import Assembler
from schemas.models import DEFAULT_TENANT, Workflow, WorkflowType
from tests.integration.lone_worker import CODEC, LoneWorker, messages, tell
from transport.admin import create_topics
from transport.settings import KafkaSettings, StorageSettings
from transport.storage import Storage
from transport.values import ValueStore

pytestmark = pytest.mark.broker

BODY = "0123456789" * 2_000_000


def node(node_id: str, node_type: str, **data: Any) -> dict[str, Any]:
    return {"id": node_id, "data": {"type": node_type, "title": node_id, **data}}


def read(variable: str, *selector: str) -> dict[str, Any]:
    return {"variable": variable, "value_selector": list(selector)}


def graph(url: str) -> dict[str, Any]:
    nodes = [
        node("start", "start", variables=[]),
        node(
            "make",
            "code",
            code_language="python3",
            code="def main():\n    return {'parts': [str(n % 10) * 100_000 for n in range(30)]}",
            variables=[],
            outputs={"parts": {"type": "array[string]"}},
        ),
        node(
            "join",
            "template-transform",
            template="{{ parts[7:9]|join('-') }}",
            variables=[read("parts", "make", "parts")],
        ),
        node("fetch", "http-request", method="get", url=url, headers="", params=""),
        node(
            "count",
            "code",
            code_language="python3",
            code="def main(body, parts):\n    return {'n': len(body) + sum(map(len, parts))}",
            variables=[read("body", "fetch", "body"), read("parts", "make", "parts")],
            outputs={"n": {"type": "number"}},
        ),
        node(
            "end",
            "end",
            outputs=[
                read("joined", "join", "output"),
                read("n", "count", "n"),
                read("body", "fetch", "body"),
            ],
        ),
    ]
    ids = [str(one["id"]) for one in nodes]
    edges = [{"source": a, "target": b} for a, b in pairwise(ids)]
    return {"nodes": nodes, "edges": edges}


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=BODY)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def until_ended(kafka: KafkaSettings) -> tuple[dict[str, Any], int]:
    """The last record of the run, and the size of the largest message on the way to it."""
    largest = 0
    for topic, value in messages(
        kafka, "runs", "run.commands", "node.executions", "node.tasks.default", "changelog.runs"
    ):
        largest = max(largest, len(value))
        if topic == "runs" and (run := CODEC.decode("WorkflowRun", value))["status"] != "RUNNING":
            return run, largest
    raise AssertionError("the run has not ended")


async def test_three_megabytes_from_a_script_and_twenty_from_a_server(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=1)
    await create_topics(kafka)
    async with served() as url:
        settings = {
            "EGRESS_ALLOW": url.removeprefix("http://").rstrip("/"),
            "HTTP_MAX_TEXT_BYTES": str(32 << 20),
        }
        workflow = Workflow(
            id="flow", app_id="app", tenant_id=DEFAULT_TENANT, type=WorkflowType.WORKFLOW, version="v1",
            graph=graph(url),
        )  # fmt: skip
        async with LoneWorker(kafka, tmp_path, **settings):
            await tell(kafka, workflow, {"id": "e"})
            run, largest = await asyncio.to_thread(until_ended, kafka)
    assert run["status"] == "SUCCEEDED", run["error"]
    assert largest < 1_000_000
    values = ValueStore(Storage.open(StorageSettings(data_dir=tmp_path)))
    await Assembler(values).assemble([run])
    outputs = orjson.loads(run["outputs"])
    assert outputs["joined"] == "7" * 100_000 + "-" + "8" * 100_000
    assert outputs["n"] == 20_000_000 + 3_000_000
    assert outputs["body"] == BODY
