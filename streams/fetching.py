"""Brings what is in the object storage to a stage that may not wait: it is asked again once it is here."""

import asyncio
import logging
from collections import defaultdict
from functools import partial
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

AGAIN_S = 1.0
"""Until a storage is asked again that has failed: one that refuses, as it does when credentials have expired,
would answer thousands of times a second."""


class Fetcher:
    """Used by one stage, on the loop's thread."""

    def __init__(self, values: ValueStore) -> None:
        self._values = values
        self._held: dict[str, dict[str, bytes | None]] = defaultdict(dict)
        """Owner -> key -> what was waited for, None where there is none: kept until it has been used, however
        much there is."""

    def content(self, owner: Owner, digest: str) -> bytes:
        """The object. Raises `NotYet` until it is at hand, `ObjectMissing` where there is none."""
        key = owner.key(digest)
        held = self._held.get(owner.id, {})
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

    def used(self, owner_id: str) -> None:
        """What was waited for is not needed any more."""
        self._held.pop(owner_id, None)

    async def _hold(self, owner: Owner, key: str) -> None:
        try:
            self._held[owner.id][key] = await self._values.get(key)
        except ObjectMissing:
            self._held[owner.id][key] = None
        except StorageUnavailable as unavailable:
            log.warning("waiting for the object storage: %s", unavailable)
            await asyncio.sleep(AGAIN_S)
