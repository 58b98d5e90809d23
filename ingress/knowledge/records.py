"""Documents as records: what is written to their topic, and what ClickHouse knows of them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from ingress.auth import CALLER
from ingress.keys import CODEC, FEED, PRODUCER
from schemas.ids import now_us
from schemas.models import Dataset
from transport.clickhouse import ClickHouse
from transport.definitions import DATASETS
from transport.errors import TransportError
from transport.producer import Send

TOPIC = "knowledge.documents"

Document = dict[str, Any]

_SELECT = """
SELECT
    id, version,
    if(status = 'COMPLETED' AND written.chunks < chunk_count, 'QUEUED', status) AS status,
    name, file_id, extension, mime_type, metadata, error, chunk_count, character_count,
    created_by, created_at, finished_at
FROM knowledge_documents AS documents
LEFT JOIN (
    SELECT document_id, version, uniqExact(position) AS chunks
    FROM knowledge_chunk_changes
    WHERE tenant_id = {tenant:String} AND dataset_id = {dataset:String}
    GROUP BY document_id, version
) AS written ON written.document_id = documents.id AND written.version = documents.version
WHERE tenant_id = {tenant:String} AND dataset_id = {dataset:String}
"""
"""Chunks are of another topic, and may be written a moment after their document."""


_LATEST = """
SELECT max(version) FROM knowledge_document_changes
WHERE tenant_id = {tenant:String} AND dataset_id = {dataset:String} AND id = {document:UUID}
"""
_PATIENCE_S = 2.0


async def documents_of(clickhouse: ClickHouse, dataset: Dataset, document_id: str = "") -> list[Document]:
    """All of the dataset by name, or the one. Raises `ClickHouseUnavailable`, `StatementRefused`."""
    which = "AND toString(id) = {document:String}" if document_id else ""
    parameters = {"tenant": dataset.tenant_id, "dataset": dataset.id, "document": document_id}
    rows = await clickhouse.query(f"{_SELECT} {which} ORDER BY name, id", parameters)
    return [{**row, "metadata": orjson.loads(row["metadata"] or "{}")} for row in rows.dicts()]


async def next_version(clickhouse: ClickHouse | None, dataset: Dataset, document_id: str) -> int:
    """After all that is known of the document, deletions included: the clock of another ingress may be ahead
    of this one's, which would have what is added now hidden by what was there. The time where nothing can be
    known: adding waits for no index."""
    now = now_us()
    if clickhouse is None:
        return now
    parameters = {"tenant": dataset.tenant_id, "dataset": dataset.id, "document": document_id}
    try:
        async with asyncio.timeout(_PATIENCE_S):
            latest: int = (await clickhouse.query(_LATEST, parameters)).rows[0][0]
    except (TransportError, TimeoutError):
        return now
    return max(now, latest + 1)


async def queue(request: web.Request, dataset: Dataset, documents: Sequence[Mapping[str, Any]]) -> None:
    """Returns once the broker has them. `documents` are records but for what all have in common.

    Raises `SendFailed`.
    """
    codec, now = request.app[CODEC], now_us()
    shared = {
        "revision": now,
        "tenant_id": dataset.tenant_id,
        "dataset_id": dataset.id,
        "datasets_offset": request.app[FEED].offset(DATASETS),
        "created_by": request[CALLER].name,
        "created_at": now,
    }
    records = [{**shared, **document} for document in documents]
    await request.app[PRODUCER].send_all(
        [Send(TOPIC, one["id"].encode(), codec.encode("KnowledgeDocument", one)) for one in records]
    )


async def queue_deletion(request: web.Request, dataset: Dataset, documents: Sequence[Document]) -> None:
    """Likewise, with the name that each had, and a version after the one that is known: the clock of another
    ingress may be ahead of this one's."""
    now = now_us()
    gone = [
        {"id": one["id"], "name": one["name"], "status": "DELETED", "version": max(now, one["version"] + 1)}
        for one in documents
    ]
    if gone:
        await queue(request, dataset, gone)
