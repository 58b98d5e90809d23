"""The path that is measured is the one that a run takes."""

from collections import Counter

from bench.connection import Endpoint
from bench.cpu import door, job
from bench.cpu.sink import Sink
from bench.cpu.slices import RUNS, HotPath
from bench.cpu.worker import Worker
from bench.deployment import ID_HEADER
from bench.orders import order
from schemas.codec import SingleObjectCodec
from sinks.table import TABLES

CODEC = SingleObjectCodec()
ENDPOINT = Endpoint(f"http://127.0.0.1:1/triggers/webhook/{job.ADDRESS}", ID_HEADER)


async def test_each_request_becomes_a_run_of_four_nodes_with_its_rows() -> None:
    definitions = job.definitions()
    posted = [order(f"order-{number}", number) for number in range(2)]
    sink = Sink(definitions, CODEC)
    async with (
        door.opened(definitions, CODEC, len(posted)) as ingress,
        Worker(definitions, CODEC).running() as worker,
    ):
        events = await ingress.take([ENDPOINT.request(one.order_id, one.body) for one in posted])
        told = await worker.take(events)
        await sink.take(sink.read([*events, *told]))
    assert [CODEC.decode("TriggerEvent", event.value)["trigger_id"] for event in events] == [
        "order-0",
        "order-1",
    ]
    assert Counter(send.topic for send in told) == {
        "trigger.logs": 2,
        "runs": 2,
        "node.executions": 8,
        "changelog.dedup": 2,
    }
    runs = [CODEC.decode("WorkflowRun", send.value) for send in told if send.topic == "runs"]
    assert {run["status"] for run in runs} == {"SUCCEEDED"}
    written = {"trigger.events", "trigger.logs", "runs", "node.executions"}
    assert sink.clickhouse.inserted.keys() == {TABLES[topic] for topic in written}


async def test_no_slice_repeats_the_orders_of_another() -> None:
    """A duplicate costs little, and starts nothing."""
    definitions = job.definitions()
    sink = Sink(definitions, CODEC)
    async with (
        door.opened(definitions, CODEC, RUNS) as ingress,
        Worker(definitions, CODEC).running() as worker,
    ):
        path = HotPath(ingress, worker, sink)
        first = await path.slice()
        inserted = sink.clickhouse.inserted["workflow_run_changes"]
        await path.slice()
    assert min(first) > 0
    assert sink.clickhouse.inserted["workflow_run_changes"] > 1.9 * inserted
