"""Megabytes through a worker and the real broker: messages stay small, nodes see the whole."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from confluent_kafka import Consumer

from ingress.assembly import Assembler
from schemas.codec import SingleObjectCodec
from schemas.models import Workflow, WorkflowType
from transport.admin import create_topics
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Producer, Send
from transport.settings import KafkaSettings, StorageSettings
from transport.storage import Storage
from transport.store import DefinitionsStore
from transport.values import ValueStore

pytestmark = pytest.mark.broker

RUN = "0b9e2d6c-0000-5000-8000-000000000001"
TENANT = "0b9e2d6c-0000-5000-8000-0000000000aa"
BODY = "0123456789" * 2_000_000
CODEC = SingleObjectCodec()
TIMEOUT_S = 60


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


@contextlib.asynccontextmanager
async def worker(kafka: KafkaSettings, folder: Path, url: str) -> AsyncIterator[None]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HOPLINE_")},
        "HOPLINE_KAFKA": kafka.bootstrap_servers,
        "HOPLINE_TOPIC_PREFIX": kafka.topic_prefix,
        "HOPLINE_PARTITIONS": str(kafka.partitions),
        "HOPLINE_WORKER_ID": "w",
        "HOPLINE_DATA_DIR": str(folder),
        "HOPLINE_EGRESS_ALLOW": url.removeprefix("http://").rstrip("/"),
        "HOPLINE_HTTP_MAX_TEXT_BYTES": str(32 << 20),
        "HOPLINE_SANDBOX_POOL_SIZE": "1",
    }
    with (folder / "worker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", "worker", env=environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), TIMEOUT_S)


async def begin(kafka: KafkaSettings, url: str) -> None:
    """Configures the workflow and tells its run to start."""
    workflow = Workflow(
        id="flow", app_id="app", tenant_id=TENANT, type=WorkflowType.WORKFLOW, version="v1", graph=graph(url)
    )
    async with DefinitionsFeed(kafka, CODEC) as feed:
        producer = Producer(kafka)
        await DefinitionsStore(producer, feed, CODEC).put(WORKFLOWS, workflow)
        command = {
            "command_id": "c", "kind": "START", "workflow_run_id": RUN, "tenant_id": TENANT, "app_id": "app",
            "workflow_id": "flow", "version": "v1", "workflows_offset": feed.offset(WORKFLOWS),
            "issued_at": time.time_ns() // 1000, "payload": "{}",
        }  # fmt: skip
        await producer.send(Send("run.commands", RUN.encode(), CODEC.encode("RunCommand", command)))
        await producer.close()


def until_ended(kafka: KafkaSettings) -> tuple[dict[str, Any], int]:
    """The last record of the run, and the size of the largest message on the way to it."""
    topics = ("runs", "run.commands", "node.executions", "node.tasks.default", "changelog.runs")
    group = {
        "group.id": "test",
        "auto.offset.reset": "earliest",
        "bootstrap.servers": kafka.bootstrap_servers,
    }
    consumer = Consumer(group)
    consumer.subscribe([kafka.full_name(topic) for topic in topics])
    largest, deadline = 0, time.monotonic() + TIMEOUT_S
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is None or message.error() is not None:
                continue
            value = message.value()
            largest = max(largest, len(value or b""))
            if message.topic() == kafka.full_name("runs"):
                run = CODEC.decode("WorkflowRun", value)
                if run["status"] != "RUNNING":
                    return run, largest
    finally:
        consumer.close()
    raise AssertionError("the run has not ended")


async def test_three_megabytes_from_a_script_and_twenty_from_a_server(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=1)
    await create_topics(kafka)
    async with served() as url, worker(kafka, tmp_path, url):
        await begin(kafka, url)
        run, largest = await asyncio.to_thread(until_ended, kafka)
    assert run["status"] == "SUCCEEDED", run["error"]
    assert largest < 1_000_000
    values = ValueStore(Storage.open(StorageSettings(data_dir=tmp_path)))
    await Assembler(values).assemble([run])
    outputs = orjson.loads(run["outputs"])
    assert outputs["joined"] == "7" * 100_000 + "-" + "8" * 100_000
    assert outputs["n"] == 20_000_000 + 3_000_000
    assert outputs["body"] == BODY
