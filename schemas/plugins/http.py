"""HTTP as plugins use it. The implementation decides what may be reached, how long and how large."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from schemas.plugins.errors import ProviderRefused, ProviderUnavailable

_PASSING = frozenset({408, 409, 425, 429})
_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    """Looked up without regard to case."""

    def json(self) -> Any:
        """The body. Raises `ProviderUnavailable` for what is none: it did not come from the API."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as wrong:
            raise ProviderUnavailable(f"the provider answers {self.status} with what is not JSON") from wrong

    def checked(self, what: str, *, missing_is_fine: bool = False) -> "HttpReply":
        """Itself, if all went well. Raises `ProviderRefused`, `ProviderUnavailable`, with what the provider
        says, and `what` was asked. `missing_is_fine`: a status of 404 or 410 is as good."""
        if self.status < 300 or (missing_is_fine and self.status in (404, 410)):
            return self
        said = " ".join(self.body[:_SHOWN_CHARS].decode("utf-8", "replace").split())
        text = f"{what}: the provider answers {self.status}" + (f": {said}" if said else "")
        if self.status >= 500 or self.status in _PASSING:
            raise ProviderUnavailable(text)
        raise ProviderRefused(text)


class Http(Protocol):
    """One request. Redirects are not followed: another host must not get what was meant for this one."""

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """Raises `Unanswered`, `ProviderRefused` where it may not be reached."""
