"""A request that nobody waits for any more is broken off: its peer sees the connection close."""

import asyncio

from obstore.store import MemoryStore

from streams.executors.files import Files
from streams.executors.http_request import HttpRequestExecutor
from streams.executors.outcome import NodeCall
from streams.executors.settings import FileReadSettings, HttpSettings
from tests.streams.executors.receiver import running_receiver
from transport.egress import EgressPolicy
from transport.files import FileLinks, FileStore
from transport.guarded_session import EgressGuard
from transport.storage import Storage


async def test_a_request_of_an_http_node() -> None:
    guard = EgressGuard(EgressPolicy(["127.0.0.1"]))
    async with running_receiver() as receiver, guard.session() as session:
        files = Files(FileStore(Storage(MemoryStore()), FileLinks("", "", 60)), session, FileReadSettings())
        execute = HttpRequestExecutor(session, guard, HttpSettings(), files)
        config = {"method": "get", "url": receiver.url("/never"), "body": {"type": "none", "data": []}}
        call = NodeCall(node_type="http-request", config=config, inputs={}, execution_id="e", tenant_id="t")
        asking = asyncio.create_task(execute(call))
        await receiver.kept_waiting.wait()
        asking.cancel()
        await asyncio.wait_for(receiver.left.wait(), 10)
