"""The eraser beside the server: started with it where there is a history, ended before its connections."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from ingress.assembly import Assembler
from ingress.erasing.eraser import Eraser, Reach
from ingress.history import History, SearchLimits
from ingress.keys import CLICKHOUSE, CODEC, FEED, PRODUCER, STORE, VALUES
from transport.storage import Storage

PATIENT = SearchLimits(seconds=600.0)
"""Nobody waits for it, and it looks for what is under way in all there is."""


def erasing(storage: Storage) -> Callable[[web.Application], AsyncIterator[None]]:
    """A clean-up context of the application, for after those that it needs."""

    async def beside(app: web.Application) -> AsyncIterator[None]:
        clickhouse = app[CLICKHOUSE]
        if clickhouse is None:
            yield
            return
        history = History(clickhouse, Assembler(app[VALUES]), limits=PATIENT)
        reach = Reach(app[FEED], app[STORE], app[PRODUCER], app[CODEC], clickhouse, history, storage)
        task = asyncio.create_task(Eraser(reach).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return beside
