"""What stages wait for from the object storage."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from obstore.store import S3Store

from streams.fetching import Fetcher
from streams.offload import Owner
from streams.shell.stage import NotYet
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
