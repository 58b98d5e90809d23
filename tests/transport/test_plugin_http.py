"""The HTTP that plugins are given: by what a provider knows a request that is made again."""

from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from schemas.plugins.http import HttpReply
from transport.plugin_http import KeyedHttp


class Sent:
    """An `Http` that writes down what is sent."""

    def __init__(self) -> None:
        self.keys: list[str | None] = []

    async def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **_: Any
    ) -> HttpReply:
        self.keys.append(CIMultiDict(headers or {}).get("Idempotency-Key"))
        return HttpReply(200, b"", {})


async def make(sent: Sent) -> None:
    """What a plugin does in one attempt."""
    http = KeyedHttp(sent, "s1/renewal/4")
    await http("GET", "http://x/hooks")
    await http("POST", "http://x/hooks", headers={"Authorization": "Bearer x"})
    await http("PATCH", "http://x/hooks/1", headers={"idempotency-key": "its own"})
    await http("DELETE", "http://x/hooks/0")


async def test_what_changes_something_has_a_key_that_is_the_same_when_it_is_done_again() -> None:
    first, again = Sent(), Sent()
    await make(first)
    await make(again)
    assert first.keys == [None, "s1/renewal/4/1", "its own", "s1/renewal/4/2"] == again.keys
