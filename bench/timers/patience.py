"""Waiting for something, but not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_S = 240.0
POLL_S = 0.5


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Asks twice a second. Raises `TimeoutError`."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await is_so():
                return
            await asyncio.sleep(POLL_S)
