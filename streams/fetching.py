"""Brings what is in the object storage to a stage that may not wait: it is asked again once it is here."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

import orjson

from schemas.references import document_digest
from streams.engine.errors import NodeFailure
from streams.offload import Owner
from streams.shell.stage import NotYet
from transport.errors import ObjectMissing, StorageUnavailable
from transport.values import ValueStore

log = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024 * 1024
"""What the pure nodes of one hop may look at of values that are elsewhere, together."""

_HELD_S = 600.0
"""A decision that waits is asked for much sooner. One whose partition has gone is not asked for again."""

AGAIN_S = 1.0
"""Until a storage is asked again that has failed: one that refuses, as it does when credentials have expired,
would answer thousands of times a second."""


class Fetcher:
    """Used by one stage, on the loop's thread."""

    def __init__(self, values: ValueStore, now: Callable[[], float] = monotonic) -> None:
        """`now`: any clock that does not run backwards, in seconds."""
        self._values = values
        self._now = now
        self._held: dict[str, dict[str, bytes | None]] = {}
        """Owner -> key -> what was waited for, None where there is none: however much there is."""
        self._asked_s: dict[str, float] = {}
        """When each of them was asked for last."""
        self._asked: set[str] = set()
        """The owners whose values the decision under way has asked for."""

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Around each decision. What it has waited for is kept until there is one, be it that nothing can be
        decided."""
        self._asked.clear()
        try:
            yield
        except NotYet:
            raise
        except BaseException:
            self._let_go(self._asked)
            raise
        self._let_go(self._asked)

    def content(self, owner: Owner, digest: str) -> bytes:
        """The object. Raises `NotYet` until it is at hand, `ObjectMissing` where there is none."""
        key = owner.key(digest)
        self._asked.add(owner.id)
        held = self._held.get(owner.id, {})
        if held:
            self._asked_s[owner.id] = self._now()
        content = held[key] if key in held else self._values.cached(key)
        if content is None and key in held:
            raise ObjectMissing(f"there is no object {key}")
        if content is None:
            raise NotYet(partial(self._hold, owner, key))
        return content

    def document(self, owner: Owner, document: str) -> str:
        """What a message has, or refers to. Raises as `content` does."""
        digest = document_digest(document)
        return document if digest is None else self.content(owner, digest).decode()

    def bring(self, owner: Owner, digest: str, brought: dict[str, Any]) -> None:
        """Adds to `brought` a value, or the reason why it cannot be had. Raises `NotYet`."""
        try:
            content = self.content(owner, digest)
        except ObjectMissing:
            brought[digest] = NodeFailure("a value is gone from the object storage", "ValueGone")
            return
        held = self._held.get(owner.id, {})
        if sum(len(one) for one in held.values() if one) > MOST_BYTES:
            brought[digest] = NodeFailure(f"needs more than {MOST_BYTES} bytes of values", "ValueTooLarge")
        else:
            brought[digest] = orjson.loads(content)

    def _let_go(self, owners: Iterable[str]) -> None:
        for owner_id in owners:
            self._held.pop(owner_id, None)
            self._asked_s.pop(owner_id, None)

    async def _hold(self, owner: Owner, key: str) -> None:
        try:
            self._keep(owner, key, await self._values.get(key))
        except ObjectMissing:
            self._keep(owner, key, None)
        except StorageUnavailable as unavailable:
            log.warning("waiting for the object storage: %s", unavailable)
            await asyncio.sleep(AGAIN_S)

    def _keep(self, owner: Owner, key: str, content: bytes | None) -> None:
        now = self._now()
        self._let_go([one for one, asked_s in self._asked_s.items() if now - asked_s > _HELD_S])
        self._held.setdefault(owner.id, {})[key] = content
        self._asked_s[owner.id] = now
