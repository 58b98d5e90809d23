"""How much requests under way may hold in memory: a slow broker must not fill it with their bodies."""

from ingress.errors import Unavailable
from ingress.express.request import EventRequest

_EACH_BYTES = 4096
"""What a request takes at the least, whatever its body."""


class Budget:
    """Counts the bodies of requests that have not been answered. Used on the loop's thread only."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self.used = 0
        """Bytes."""
        self._held: dict[int, int] = {}
        """Of them, by the identity of a request that is under way."""

    def take(self, request: EventRequest, size: int) -> None:
        """For a body of `size` bytes, until the request is answered. Raises `Unavailable`."""
        wanted = size + _EACH_BYTES
        if self.used + wanted > self._limit:
            raise Unavailable(
                f"requests under way hold {self.used} bytes of {self._limit} (HOPLINE_INFLIGHT_MAX_BYTES), "
                "since the broker is slower than they come; send it again"
            )
        self.used += wanted
        held = self._held
        held[id(request)] = held.get(id(request), 0) + wanted

    def give_back(self, request: EventRequest) -> None:
        """What the request has taken: it is answered, or over."""
        self.used -= self._held.pop(id(request), 0)
