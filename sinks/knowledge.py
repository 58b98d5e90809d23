"""Writes documents of datasets and their chunks, and clears away the chunks that a document no longer has."""

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

DOCUMENTS, CHUNKS = "knowledge.documents", "knowledge.chunks"

# The newest version of each that counts: deleted, or complete with all of its chunks.
_COUNTING = """
SELECT toString(id), max(documents.version)
FROM knowledge_document_changes AS documents
LEFT JOIN (
    SELECT document_id, version, uniqExact(position) AS chunks
    FROM knowledge_chunk_changes
    WHERE tenant_id IN {tenants:Array(String)} AND dataset_id IN {datasets:Array(String)}
        AND document_id IN {documents:Array(UUID)}
    GROUP BY document_id, version
) AS written ON written.document_id = documents.id AND written.version = documents.version
WHERE tenant_id IN {tenants:Array(String)} AND dataset_id IN {datasets:Array(String)}
    AND id IN {documents:Array(UUID)}
    AND (status = 'DELETED' OR status = 'COMPLETED' AND written.chunks >= chunk_count)
GROUP BY id
"""
_STALE = """
FROM knowledge_chunk_changes
WHERE tenant_id IN {tenants:Array(String)} AND dataset_id IN {datasets:Array(String)}
    AND document_id IN {documents:Array(UUID)}
    AND version < transform(
        toString(document_id), {documents:Array(String)}, {versions:Array(Int64)}, toInt64(0)
    )
"""


class Superseded:
    """Chunks of versions that a newer one has replaced.

    Those are found by nobody: that they go is a matter of space, and of a deleted text being gone. A document
    and its chunks are of two topics, so either may be written last, and whoever writes either asks.
    """

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def clear(self, records: Sequence[AvroRecord], name: str) -> None:
        """Those of the documents whose ids the records have under that name."""
        if not records:
            return
        parameters = {
            "tenants": _array({record["tenant_id"] for record in records}),
            "datasets": _array({record["dataset_id"] for record in records}),
            "documents": _array({record[name] for record in records}),
        }
        try:
            counting = (await self._clickhouse.query(_COUNTING, parameters)).rows
            parameters["documents"] = _array(document_id for document_id, _ in counting)
            parameters["versions"] = "[" + ",".join(str(version) for _, version in counting) + "]"
            if counting and (await self._clickhouse.query(f"SELECT count() {_STALE}", parameters)).rows[0][0]:
                await self._clickhouse.execute(f"DELETE {_STALE}", parameters)
        except StatementRefused as refused:
            log.warning("superseded chunks stay where they are: %s", refused)


class Documents:
    """A `Writer`: the records into their table, then what they supersede out of that of the chunks."""

    def __init__(self, table: Table, superseded: Superseded, codec: Codec) -> None:
        self._table = table
        self._superseded = superseded
        self._codec = codec

    @property
    def name(self) -> str:
        """Of the table."""
        return self._table.name

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        """See `sinks.table.Table.write`."""
        poisons = await self._table.write(messages)
        documents = _decoded(self._codec, "KnowledgeDocument", messages)
        counting = [one for one in documents if one["status"] in ("COMPLETED", "DELETED")]
        await self._superseded.clear(counting, "id")
        return poisons


class Chunks:
    """A `Writer`: likewise, of the chunks that may be the last of their documents."""

    def __init__(self, table: Table, superseded: Superseded, codec: Codec) -> None:
        self._table = table
        self._superseded = superseded
        self._codec = codec

    @property
    def name(self) -> str:
        """Of the table."""
        return self._table.name

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        """See `sinks.table.Table.write`."""
        poisons = await self._table.write(messages)
        one_of_each = {message.key(): message for message in messages}.values()
        await self._superseded.clear(_decoded(self._codec, "KnowledgeChunk", one_of_each), "document_id")
        return poisons


def _decoded(codec: Codec, schema: str, messages: Iterable[Message]) -> list[AvroRecord]:
    found = []
    for message in messages:
        try:
            found.append(codec.decode(schema, message.value()))
        except UndecodableValue:
            continue  # the table has told
    return found


def _array(ids: Iterable[str]) -> str:
    """A literal. A quote is doubled: the embedded engine and a server read a backslash differently."""
    return "[" + ",".join("'" + one.replace("'", "''") + "'" for one in ids) + "]"
