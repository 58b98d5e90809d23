"""Documents of datasets: their rows, and the chunks that they no longer have."""

from typing import Any

from sinks.knowledge import CHUNKS, DOCUMENTS, Clearing, Superseded, by_chunks, by_documents
from sinks.table import Table
from tests.sinks.records import CODEC, TENANT, message
from transport.clickhouse import ClickHouse

FIRST, SECOND = "0a3b2f5e-7e5c-5f5e-9f0a-0d5b8c1d2e3f", "1a3b2f5e-7e5c-5f5e-9f0a-0d5b8c1d2e3f"


async def write_document(
    database: ClickHouse, document_id: str, version: int, status: str, chunk_count: int = 0
) -> None:
    document = {
        "id": document_id,
        "revision": version,
        "tenant_id": TENANT,
        "dataset_id": "it's",
        "version": version,
        "status": status,
        "name": "d",
        "chunk_count": chunk_count,
        "created_at": 0,
    }
    writer = Clearing(Table(DOCUMENTS, database, CODEC), Superseded(database), CODEC, by_documents)
    assert writer.name == "knowledge_document_changes"
    assert await writer.write([message(DOCUMENTS, CODEC.encode("KnowledgeDocument", document))]) == []


async def write_chunk(database: ClickHouse, document_id: str, version: int, position: int = 1) -> None:
    chunk: dict[str, Any] = {
        "id": f"{document_id[:-4]}{position:02}{version:02}",
        "tenant_id": TENANT,
        "dataset_id": "it's",
        "document_id": document_id,
        "version": version,
        "position": position,
        "content": "a\n\nb",
        "hash": "h",
        "words": ["a", "b"],
        "vector": [0.5],
    }
    writer = Clearing(Table(CHUNKS, database, CODEC), Superseded(database), CODEC, by_chunks)
    assert writer.name == "knowledge_chunk_changes"
    assert await writer.write([message(CHUNKS, CODEC.encode("KnowledgeChunk", chunk))]) == []


async def versions(database: ClickHouse) -> list[list[Any]]:
    sql = "SELECT toString(document_id), version FROM knowledge_chunk_changes ORDER BY 1, 2"
    return (await database.query(sql)).rows


async def test_chunks_of_superseded_versions_are_cleared_away(database: ClickHouse) -> None:
    for document_id in (FIRST, SECOND):
        await write_chunk(database, document_id, 1)
        await write_document(database, document_id, 1, "COMPLETED")
    await write_chunk(database, FIRST, 2)
    await write_document(database, FIRST, 2, "QUEUED")
    await write_document(database, FIRST, 2, "FAILED")
    assert await versions(database) == [[FIRST, 1], [FIRST, 2], [SECOND, 1]]
    await write_document(database, FIRST, 2, "COMPLETED")
    assert await versions(database) == [[FIRST, 2], [SECOND, 1]]
    await write_document(database, SECOND, 3, "DELETED")
    assert await versions(database) == [[FIRST, 2]]


async def test_chunks_stay_until_those_that_supersede_them_are_all_there(database: ClickHouse) -> None:
    await write_chunk(database, FIRST, 1)
    await write_document(database, FIRST, 1, "COMPLETED", 1)
    await write_chunk(database, FIRST, 2, 1)
    await write_document(database, FIRST, 2, "COMPLETED", 2)
    assert await versions(database) == [[FIRST, 1], [FIRST, 2]]
    await write_chunk(database, FIRST, 2, 2)
    assert await versions(database) == [[FIRST, 2], [FIRST, 2]]


async def test_chunks_that_come_after_their_document_was_deleted_do_not_stay(database: ClickHouse) -> None:
    await write_document(database, FIRST, 3, "DELETED")
    await write_chunk(database, FIRST, 2)
    await write_document(database, FIRST, 2, "COMPLETED", 1)
    assert await versions(database) == []


async def test_an_unreadable_document_is_a_dead_letter_and_nothing_else(database: ClickHouse) -> None:
    writer = Clearing(Table(DOCUMENTS, database, CODEC), Superseded(database), CODEC, by_documents)
    (poison,) = await writer.write([message(DOCUMENTS, b"nonsense")])
    assert "C3 01" in poison.reason
