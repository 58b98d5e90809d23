"""One change at a time to things that are changed together: each is made of what the one before has left."""

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """Of the requests to this ingress. Others have turns of their own."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, place: str) -> asyncio.Lock:
        """`place` is the id of a subscription, that of a workflow with all that starts it, or a kind of thing
        of a tenant.

        To be held from reading what there is to having written what is to be.
        """
        return self._locks.setdefault(place, asyncio.Lock())
