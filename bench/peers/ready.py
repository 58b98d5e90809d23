"""Ways to see that a server serves."""

from contextlib import suppress

import psutil


async def listens(pid: int, port: int) -> bool:
    """Whether this very process listens on the TCP port; several may share one."""
    with suppress(psutil.Error):
        connections = psutil.Process(pid).net_connections("tcp")
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)
    return False
