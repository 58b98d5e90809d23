"""Puts records together again whose inputs, outputs or process data are in the object storage."""

import asyncio
import logging
from typing import Any

import orjson

from schemas.references import value_key
from schemas.summaries import OFFLOADED, offloaded_from
from transport.errors import ObjectMissing
from transport.values import ValueStore

_log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024 * 1024
"""Of one answer. What would be more stays a summary."""

_FIELDS = ("inputs", "outputs", "process_data", "trigger_data")


class Assembler:
    """Works on rows of the history, whose JSON is still text."""

    def __init__(self, values: ValueStore) -> None:
        self._values = values

    async def assemble(self, rows: list[dict[str, Any]]) -> None:
        """Replaces summaries by what they stand for, in place. What has been pruned stays a summary, which
        says so by its mark. Raises `StorageUnavailable`."""
        left = MOST_BYTES
        loads = []
        for row in rows:
            for name in _FIELDS:
                document = row.get(name)
                if not isinstance(document, str) or OFFLOADED not in document:
                    continue
                record = orjson.loads(document)
                found = offloaded_from(record)
                size = record[OFFLOADED].get("size", 0) if found else 0
                if found and isinstance(size, int) and size <= left:
                    left -= size
                    loads.append(self._load(row, name, *found))
        await asyncio.gather(*loads)

    async def _load(self, row: dict[str, Any], name: str, owner_id: str, digest: str) -> None:
        tenant_id = row["tenant_id"]
        try:
            whole = orjson.loads(await self._values.get(value_key(tenant_id, owner_id, digest)))
            whole = await self._values.resolve(tenant_id, owner_id, whole)
        except ObjectMissing as missing:
            _log.info("%s of %s stays a summary: %s", name, row["id"], missing)
        else:
            row[name] = orjson.dumps(whole).decode()
