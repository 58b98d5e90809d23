"""The workflow whose runs wait: until the moment that its order says."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import orjson

from bench.connection import Endpoint
from bench.deployment import ID_HEADER, Deployment, Job
from bench.load import closed_loop
from bench.orders import Order, batch_name
from bench.patience import PATIENCE_S

CONNECTIONS = 32

_FIELDS = [{"variable": "order_id", "label": "order_id", "type": "text-input", "required": True},
           {"variable": "at", "label": "at", "type": "number", "required": True}]  # fmt: skip
NODE = "wait"
"""The node that waits."""

_WAIT = {"type": "wait", "title": "Wait", "until": ["start", "at"], "reason": "a bench"}
_OUTPUTS = [{"variable": "early", "value_selector": [NODE, "resumed_early"]}]
GRAPH: dict[str, Any] = {
    "nodes": [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": _FIELDS}},
        {"id": NODE, "data": _WAIT},
        {"id": "end", "data": {"type": "end", "title": "End", "outputs": _OUTPUTS}},
    ],
    "edges": [
        {"id": "a", "source": "start", "target": NODE},
        {"id": "b", "source": NODE, "target": "end"},
    ],
}


async def install(deployment: Deployment) -> Job:
    """The workflow with a webhook. Raises `CommandFailed`."""

    def install_now() -> Job:
        client = deployment.client
        imported = client.upload(
            "workflows", "import", content=orjson.dumps(GRAPH), app="waits", publish="true"
        )
        trigger = {"type": "WEBHOOK", "workflow_id": imported["workflow_id"], "config": {}}
        return Job(imported["workflow_id"], Endpoint(client.post("triggers", body=trigger)["url"], ID_HEADER))

    return await asyncio.to_thread(install_now)


def waiting_until(moments: Iterator[int]) -> Iterator[Order]:
    """An order for each moment, in unix seconds."""
    batch = batch_name("wait")
    for number, at in zip(itertools.count(), moments, strict=False):
        order_id = f"{batch}-{number:06d}"
        yield Order(order_id, orjson.dumps({"order_id": order_id, "at": at}))


async def post(waits: Job, given: Iterator[Order]) -> list[str]:
    """All of them, accepted; their ids. Raises `AssertionError` for one that is refused."""
    posted = await closed_loop(
        waits.endpoint, given, connections=CONNECTIONS, seconds=PATIENCE_S, on_progress=lambda _: None
    )
    assert not posted.refusals, posted.refusals
    return list(posted.ack_ms)
