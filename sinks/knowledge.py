"""Writes documents of datasets and their chunks, and clears away the chunks that a document no longer has."""

import logging
from collections.abc import Callable, Iterable, Sequence, Set
from typing import NamedTuple

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


class Document(NamedTuple):
    """Of a dataset."""

    tenant_id: str
    dataset_id: str
    id: str


class Superseded:
    """Chunks of versions that a newer one has replaced.

    Those are found by nobody: that they go is a matter of space, and of a deleted text being gone. A document
    and its chunks are of two topics, so either may be written last, and whoever writes either asks.
    """

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def clear(self, documents: Set[Document]) -> None:
        """Those of the documents."""
        if not documents:
            return
        parameters = {
            "tenants": _array({one.tenant_id for one in documents}),
            "datasets": _array({one.dataset_id for one in documents}),
            "documents": _array({one.id for one in documents}),
        }
        try:
            counting = (await self._clickhouse.query(_COUNTING, parameters)).rows
            parameters["documents"] = _array(document_id for document_id, _ in counting)
            parameters["versions"] = "[" + ",".join(str(version) for _, version in counting) + "]"
            if counting and (await self._clickhouse.query(f"SELECT count() {_STALE}", parameters)).rows[0][0]:
                await self._clickhouse.execute(f"DELETE {_STALE}", parameters)
        except StatementRefused as refused:
            log.warning("superseded chunks stay where they are: %s", refused)


class Clearing:
    """A `Writer`: the records into their table, then what they supersede out of that of the chunks."""

    def __init__(
        self,
        table: Table,
        superseded: Superseded,
        codec: Codec,
        completed: Callable[[Codec, Sequence[Message]], Set[Document]],
    ) -> None:
        """`completed`: the documents that may have a new version that counts, by the records."""
        self._table = table
        self._superseded = superseded
        self._codec = codec
        self._completed = completed

    @property
    def name(self) -> str:
        """Of the table."""
        return self._table.name

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        """See `sinks.table.Table.write`."""
        poisons = await self._table.write(messages)
        await self._superseded.clear(self._completed(self._codec, messages))
        return poisons


def by_documents(codec: Codec, messages: Sequence[Message]) -> set[Document]:
    """Those whose records say that they are complete, or deleted."""
    return {
        Document(one["tenant_id"], one["dataset_id"], one["id"])
        for one in _decoded(codec, "KnowledgeDocument", messages)
        if one["status"] in ("COMPLETED", "DELETED")
    }


def by_chunks(codec: Codec, messages: Sequence[Message]) -> set[Document]:
    """Those of the chunks, each of which may be the last one."""
    one_of_each = {message.key(): message for message in messages}.values()
    return {
        Document(one["tenant_id"], one["dataset_id"], one["document_id"])
        for one in _decoded(codec, "KnowledgeChunk", one_of_each)
    }


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
