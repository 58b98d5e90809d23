"""One change at a time to what is configured for a workflow: each is made of what the one before has left."""

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """Of the requests to this ingress. Others have turns of their own."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, workflow_id: str) -> asyncio.Lock:
        """To be held from reading what there is to having written what is to be."""
        return self._locks.setdefault(workflow_id, asyncio.Lock())
