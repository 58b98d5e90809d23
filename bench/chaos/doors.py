"""The ingresses, any of which may be away at any moment: a request goes to one, and on refusal to another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

_TIMEOUT = aiohttp.ClientTimeout(total=15)
_CONNECTIONS = 200


class NoAnswer(Exception):
    """Nobody listens, the connection was lost, or the answer was late: whether it was done is not known."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    with_key: bool = False
    """Whether the API key goes along."""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    content: bytes

    @property
    def is_good(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def is_odd(self) -> bool:
        """A refusal that no outage excuses: 4xx, but for 408 and 429."""
        return 400 <= self.status < 500 and self.status not in (408, 429)

    def json(self) -> Any:
        """The content. Raises `ValueError`."""
        return orjson.loads(self.content)


class Doors:
    """All ingresses of a deployment. Async context."""

    def __init__(self, addresses: Sequence[str], api_key: str) -> None:
        self._addresses = [address.rstrip("/") for address in addresses]
        self._key = {"Authorization": f"Bearer {api_key}"}

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit_per_host=_CONNECTIONS, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, request: Request, turn: int) -> Answer:
        """To the ingress whose turn it is: `turn` modulo their number. Raises `NoAnswer`."""
        url = self._addresses[turn % len(self._addresses)] + request.path
        headers = {**request.headers, **self._key} if request.with_key else request.headers
        try:
            async with self._session.request(
                request.method, url, data=request.body, headers=headers
            ) as answer:
                return Answer(answer.status, await answer.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as lost:
            raise NoAnswer(f"{type(lost).__name__} {lost}".strip()) from lost
