"""Replies of unknown length, from a real server that never comes to an end."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from transport.bounded import ReplyTooLong, whole


async def answer(request: web.Request) -> web.StreamResponse:
    if request.path == "/short":
        return web.Response(body=b"x" * 1000)
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 1000)
        await asyncio.sleep(0)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_reply_within_the_bound_is_whole(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/short") as response:
        assert await whole(response, 1000) == b"x" * 1000


async def test_reading_ends_where_the_bound_is(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/endless") as response:
        with pytest.raises(ReplyTooLong, match="longer than 1 MB"):
            await whole(response, 1 << 20)
