"""Writes documents of datasets, and clears away the chunks that a document no longer has."""

import logging
from collections.abc import Iterable, Sequence

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.errors import UndecodableValue
from sinks.letters import Poison
from sinks.table import Table
from transport.clickhouse import ClickHouse
from transport.errors import StatementRefused

log = logging.getLogger(__name__)

DOCUMENTS = "knowledge.documents"

_STALE = """
FROM knowledge_chunk_changes
WHERE tenant_id IN {tenants:Array(String)} AND dataset_id IN {datasets:Array(String)}
    AND document_id IN {documents:Array(UUID)}
    AND version < transform(
        toString(document_id), {documents:Array(String)}, {versions:Array(Int64)}, toInt64(0)
    )
"""


class Documents:
    """A `Writer`: the records into their table, then the chunks of superseded versions out of theirs.

    Those are found by nobody: that they go is a matter of space, and of a deleted text being gone.
    """

    def __init__(self, table: Table, clickhouse: ClickHouse, codec: Codec) -> None:
        self._table = table
        self._clickhouse = clickhouse
        self._codec = codec

    @property
    def name(self) -> str:
        """Of the table."""
        return self._table.name

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        """See `sinks.table.Table.write`."""
        poisons = await self._table.write(messages)
        counting = [
            document for document in self._decoded(messages) if document["status"] in ("COMPLETED", "DELETED")
        ]
        if counting:
            await self._clear(counting)
        return poisons

    def _decoded(self, messages: Iterable[Message]) -> Iterable[AvroRecord]:
        for message in messages:
            try:
                yield self._codec.decode("KnowledgeDocument", message.value())
            except UndecodableValue:
                continue  # the table has told

    async def _clear(self, documents: Sequence[AvroRecord]) -> None:
        latest: dict[str, int] = {}
        for document in documents:
            latest[document["id"]] = max(document["version"], latest.get(document["id"], 0))
        parameters = {
            "tenants": _array({document["tenant_id"] for document in documents}),
            "datasets": _array({document["dataset_id"] for document in documents}),
            "documents": _array(latest),
            "versions": "[" + ",".join(map(str, latest.values())) + "]",
        }
        try:
            found = await self._clickhouse.query(f"SELECT count() {_STALE}", parameters)
            if found.rows[0][0]:
                await self._clickhouse.execute(f"DELETE {_STALE}", parameters)
        except StatementRefused as refused:
            log.warning("superseded chunks stay where they are: %s", refused)


def _array(ids: Iterable[str]) -> str:
    """A literal. A quote is doubled: the embedded engine and a server read a backslash differently."""
    return "[" + ",".join("'" + one.replace("'", "''") + "'" for one in ids) + "]"
