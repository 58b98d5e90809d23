"""A role that uses ClickHouse, and its end."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from transport.clickhouse import ClickHouse

log = logging.getLogger(__name__)

_CLOSE_S = 1.5
"""Beyond the deadline for draining. What a sink has not written by then is written again by the next one."""


@asynccontextmanager
async def using(clickhouse: ClickHouse) -> AsyncIterator[None]:
    """Closes it in the end. Where it hangs, a process that has done its work ends there, with code 0: what
    goes on is for nobody, or somebody else's by now."""
    try:
        yield
    except BaseException:
        await clickhouse.close(_CLOSE_S)
        raise
    if await clickhouse.close(_CLOSE_S):
        return
    log.warning("ClickHouse has not answered: ending without it")
    logging.shutdown()
    os._exit(0)
