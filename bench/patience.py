"""Waiting for something, but not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_S = 240.0
POLL_S = 0.5


async def until(
    is_so: Callable[[], Awaitable[bool]], *, patience_s: float = PATIENCE_S, poll_s: float = POLL_S
) -> None:
    """Asks again every `poll_s`. Raises `TimeoutError`."""
    async with asyncio.timeout(patience_s):
        while not await is_so():  # noqa: ASYNC110 - what is waited for is in another process.
            await asyncio.sleep(poll_s)
