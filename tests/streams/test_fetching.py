"""What stages wait for from the object storage."""

import asyncio
from collections.abc import Callable

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from obstore.store import MemoryStore, S3Store

from schemas.references import as_document, digest_of
from streams.fetching import Fetcher
from streams.offload import Owner
from streams.shell.stage import NotYet
from tests.streams.test_runner import PURE, RUN, Bench
from transport.errors import ObjectMissing
from transport.storage import Storage
from transport.values import ValueStore


async def test_a_storage_that_refuses_is_not_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.fetching.AGAIN_S", 3600)
    asked = asyncio.Event()

    async def refuse(request: web.Request) -> web.Response:
        asked.set()
        return web.Response(status=403)

    app = web.Application()
    app.router.add_get("/{key:.*}", refuse)
    async with TestServer(app) as server:
        store = S3Store(
            "bucket",
            endpoint=f"http://127.0.0.1:{server.port}",
            access_key_id="key",
            secret_access_key="expired",
            client_options={"allow_http": True},
        )
        fetcher = Fetcher(ValueStore(Storage(store)))
        with pytest.raises(NotYet) as not_yet:
            fetcher.content(Owner("tenant", "run"), "ab" * 32)
        waiting = asyncio.ensure_future(not_yet.value.wait())
        await asyncio.wait({waiting, asyncio.create_task(asked.wait())}, return_when=asyncio.FIRST_COMPLETED)
        _, pending = await asyncio.wait({waiting}, timeout=1)
        assert pending == {waiting}
        waiting.cancel()


async def ask(decide: Callable[[], object]) -> object:
    """As the shell does."""
    while True:
        try:
            return decide()
        except NotYet as not_yet:
            await not_yet.wait()


@pytest.mark.parametrize("content", [None, b"no JSON"], ids=["missing", "damaged"])
async def test_what_was_waited_for_does_not_stay_when_its_message_is_given_up(content: bytes | None) -> None:
    bench, values = Bench(PURE), ValueStore(Storage(MemoryStore()), cache_bytes=0)
    fetcher = bench.runner._fetcher = Fetcher(values)
    owner = Owner("t", RUN)
    if content is not None:
        await values.put_all([owner.upload(content)])
    start = bench.command("START", orjson.loads(as_document(content or b"{}")))
    with pytest.raises((ObjectMissing, ValueError)):
        await ask(lambda: bench.tell(start))
    assert fetcher._held == {}


async def test_what_is_waited_for_twice_in_one_decision_is_there_for_it() -> None:
    values = ValueStore(Storage(MemoryStore()), cache_bytes=0)
    fetcher, owner = Fetcher(values), Owner("t", RUN)
    contents = [b'"one"', b'"two"']
    await values.put_all([owner.upload(content) for content in contents])

    def decide() -> list[bytes]:
        with fetcher.deciding():
            return [fetcher.content(owner, digest_of(content)) for content in contents]

    assert await ask(decide) == contents
    assert fetcher._held == {}


async def test_what_nobody_asks_for_again_does_not_stay() -> None:
    """The partition has gone to another worker meanwhile."""
    values, now_s = ValueStore(Storage(MemoryStore()), cache_bytes=0), 0.0
    fetcher = Fetcher(values, lambda: now_s)
    for number in range(100):
        now_s += 60
        owner = Owner("t", f"run-{number}")
        await values.put_all([owner.upload(b"{}")])
        with pytest.raises(NotYet) as not_yet, fetcher.deciding():
            fetcher.content(owner, digest_of(b"{}"))
        await not_yet.value.wait()
    assert len(fetcher._held) < 20
