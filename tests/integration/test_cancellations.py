"""How workers hear, on the real broker, of executions that nobody waits for."""

import asyncio
import logging
from pathlib import Path

import pytest

from schemas.codec import SingleObjectCodec
from schemas.ids import now_us
from schemas.models import DEFAULT_TENANT, Workflow, WorkflowType
from tests.graphs import end, graph, node, start
from tests.integration.lone_worker import LoneWorker, ended_runs, messages, tell
from tests.streams.executors.receiver import running_receiver
from transport.admin import create_topics
from transport.cancellations import CANCELLATIONS, CancellationFeed
from transport.errors import BrokerUnreachable
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

CODEC = SingleObjectCodec()


def cancellation(*execution_ids: str) -> Send:
    record = {"workflow_run_id": "r", "tenant_id": "t", "node_execution_ids": execution_ids, "issued_at": 0}
    return Send(CANCELLATIONS, b"r", CODEC.encode("NodeCancellation", record))


async def test_each_worker_hears_of_what_is_cancelled_and_of_what_was_a_while_ago(
    broker: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=1)
    await create_topics(kafka)
    producer = Producer(kafka, message_timeout_s=10)
    await producer.send(cancellation("before", "start"))
    heard: list[asyncio.Queue[str]] = [asyncio.Queue(), asyncio.Queue()]

    def tell(queue: "asyncio.Queue[str]", execution_ids: list[str]) -> None:
        for execution_id in execution_ids:
            queue.put_nowait(execution_id)

    feeds = [CancellationFeed(kafka, CODEC, lambda ids, q=queue: tell(q, ids)) for queue in heard]  # type: ignore[misc]
    async with feeds[0], feeds[1], asyncio.timeout(30):
        assert [await queue.get() for queue in heard for _ in range(2)] == ["before", "start"] * 2
        with caplog.at_level(logging.CRITICAL, "transport.cancellations"):
            await producer.send(Send(CANCELLATIONS, b"r", b"of another kind"))
            await producer.send(cancellation("after"))
            assert [await queue.get() for queue in heard] == ["after", "after"]
    await producer.close()


async def test_a_topic_that_is_not_there_is_named(
    broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.cancellations._START_TIMEOUT_S", 0.0)
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix)
    with pytest.raises(BrokerUnreachable, match="hopline topics create"):
        async with CancellationFeed(kafka, CODEC, lambda _: None):
            pass


async def test_a_request_is_made_again_under_its_key_and_broken_off_when_its_run_is_cancelled(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=1)
    await create_topics(kafka)
    async with running_receiver() as receiver, asyncio.timeout(150):
        asks = node("ask", "http-request", method="get", url=receiver.url("/never"), headers="", params="",
                    authorization={"type": "no-auth"}, body={"type": "none", "data": []})  # fmt: skip
        flow = Workflow(
            id="flow", app_id="app", tenant_id=DEFAULT_TENANT, type=WorkflowType.WORKFLOW, version="1",
            graph=graph([start(), asks, end()], ("start", "ask"), ("ask", "end")),
        )  # fmt: skip
        async with LoneWorker(kafka, tmp_path, EGRESS_ALLOW="127.0.0.1") as worker:
            await tell(kafka, flow, {"id": "e"})
            await receiver.kept_waiting.wait()
            await worker.kill()
            await receiver.left.wait()
            receiver.kept_waiting.clear()
            receiver.left.clear()
            await worker.start()
            await receiver.kept_waiting.wait()
            await cancel_run(kafka)
            await receiver.left.wait()
            [run] = await asyncio.to_thread(ended_runs, kafka, 1)
        assert run["status"] == "STOPPED"
        keys = [request.headers["idempotency-key"] for request in receiver.received]
        assert len(keys) >= 2  # more, if the group has moved on more often
        assert len(set(keys)) == 1


async def cancel_run(kafka: KafkaSettings) -> None:
    """The only one that there is."""
    run = CODEC.decode("WorkflowRun", (await asyncio.to_thread(next, messages(kafka, "runs")))[1])
    command = {
        **{name: run[name] for name in ("tenant_id", "app_id", "workflow_id", "version")},
        "command_id": "cancel", "kind": "CANCEL", "workflow_run_id": run["id"], "workflows_offset": 0,
        "issued_at": now_us(), "payload": "{}",
    }  # fmt: skip
    producer = Producer(kafka)
    await producer.send(Send("run.commands", run["id"].encode(), CODEC.encode("RunCommand", command)))
    await producer.close()
