"""Datasets over HTTP: their documents, and the search in the real engine."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from schemas.codec import SingleObjectCodec
from schemas.models import DEFAULT_TENANT
from schemas.secrets import SecretBox
from schemas.words import words_of
from sinks.table import Table
from tests.ingress.stand_ins import AUTHORIZED, SECRET_KEY, Client, Server, StandIns, assemble, new_settings
from tests.sinks.records import message
from tests.streams.executors.knowledge.library import Library, running_library
from transport.clickhouse import ClickHouse
from transport.service_token import issue

CODEC = SingleObjectCodec()
PATH = "/api/v1/datasets"
Json = dict[str, Any]


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    """Where a model gives vectors: of the letters a and b in a text."""
    async with running_library() as library:
        library.answers["/v1/embeddings"] = lambda body: {
            "data": [
                {"index": i, "embedding": [1.0 + text.count("a"), 1.0 + text.count("b")]}
                for i, text in enumerate(body["input"])
            ]
        }
        yield library


@pytest.fixture
async def client(stand_ins: StandIns, database: ClickHouse, library: Library) -> AsyncIterator[Client]:
    library.definitions = stand_ins.configured.definitions
    library.models()
    settings = new_settings(egress_allow=("127.0.0.1",))
    async with TestClient(Server(assemble(stand_ins, settings, database))) as client:
        yield client


async def call(client: Client, method: str, path: str, status: int = 200, **request: Any) -> Json:
    request.setdefault("headers", AUTHORIZED)
    async with client.request(method, path, **request) as answer:
        assert answer.status == status, await answer.text()
        return {} if status == 204 else await answer.json()


async def create(client: Client, name: str = "faq", **body: Any) -> Json:
    return await call(client, "POST", PATH, 201, json={"name": name, **body})


def queued(stand_ins: StandIns) -> list[Json]:
    sends = [send for send in stand_ins.sent.sends if send.topic == "knowledge.documents"]
    return [CODEC.decode("KnowledgeDocument", send.value) for send in sends]


async def write(database: ClickHouse, topic: str, *rows: Json) -> None:
    schema = {"knowledge.documents": "KnowledgeDocument", "knowledge.chunks": "KnowledgeChunk"}[topic]
    messages = [message(topic, CODEC.encode(schema, row)) for row in rows]
    assert await Table(topic, database, CODEC).write(messages) == []


async def index(
    database: ClickHouse, document: Json, *texts: str, model: str = "", status: str = "COMPLETED"
) -> None:
    """As a worker and the sink would."""
    chunks = [
        {
            **{name: document[name] for name in ("tenant_id", "dataset_id", "version")},
            "id": f"{document['id'][:-4]}{document['version'] % 100:02}{position:02}",
            "document_id": document["id"],
            "position": position,
            "content": text,
            "hash": "h",
            "words": words_of(text),
            "embedding_model": model,
            "vector": [1.0 + text.count("a"), 1.0 + text.count("b")] if model else [],
        }
        for position, text in enumerate(texts, 1)
    ]
    await write(database, "knowledge.chunks", *chunks)
    done = {**document, "status": status, "revision": document["revision"] + 1, "chunk_count": len(texts)}
    await write(database, "knowledge.documents", done)


async def add(client: Client, stand_ins: StandIns, name: str, dataset: str = "faq", **body: Any) -> Json:
    body = {"text": "x", **body} if "file_id" not in body else body
    await call(client, "POST", f"{PATH}/{dataset}/documents", 202, json={"name": name, **body})
    return queued(stand_ins)[-1]


async def find(client: Client, query: str, dataset: str = "faq", **body: Any) -> list[str]:
    found = await call(client, "POST", f"{PATH}/{dataset}/search", json={"query": query, **body})
    return [record["content"] for record in found["records"]]


async def test_a_document_is_queued_with_its_file(client: Client, stand_ins: StandIns) -> None:
    dataset = await create(client)
    document = await add(client, stand_ins, "notes.md", text="# Notes", metadata={"lang": "en"})
    assert (document["dataset_id"], document["status"]) == (dataset["id"], "QUEUED")
    assert (document["extension"], document["metadata"]) == (".md", '{"lang":"en"}')
    assert await stand_ins.files.read(DEFAULT_TENANT, document["file_id"]) == b"# Notes"
    again = await add(client, stand_ins, "notes.md", file_id=document["file_id"])
    assert again["id"] == document["id"]
    assert again["version"] > document["version"]
    assert (await add(client, stand_ins, "plain"))["extension"] == ".txt"


async def test_words_find_chunks_the_best_first(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    document = await add(client, stand_ins, "pets.txt", metadata={"lang": "en"})
    texts = ("Cats and dogs.", "Cats, cats, cats!", "Only dogs here.", "Nothing at all.", "天地玄黄 cats")
    await index(database, document, *texts)
    assert await find(client, "CATS dogs") == [texts[0], texts[2], texts[1], texts[4]]
    assert await find(client, "玄黄") == [texts[4]]
    assert await find(client, "birds") == await find(client, "?!") == []
    assert await find(client, "cats", top_k=1) == [texts[1]]
    found = await call(client, "POST", f"{PATH}/faq/search", json={"query": "cats"})
    scores = [record["score"] for record in found["records"]]
    assert all(0 < score < 1 for score in scores)
    assert len(await find(client, "cats", score_threshold=scores[0])) == 1


async def test_a_rare_word_counts_more(client: Client, stand_ins: StandIns, database: ClickHouse) -> None:
    await create(client)
    document = await add(client, stand_ins, "d")
    common = [f"the number {n}" for n in range(20)]
    await index(database, document, *common, "unicorn in the end")
    assert (await find(client, "the unicorn", top_k=1)) == ["unicorn in the end"]


async def test_vectors_find_what_has_no_word_in_common(
    client: Client, stand_ins: StandIns, database: ClickHouse, library: Library
) -> None:
    await create(client, embedding={"provider": "openai", "model": "letters"})
    document = await add(client, stand_ins, "d")
    await index(database, document, "aaaa", "bbbb", "ab", model="openai/letters")
    assert await find(client, "aaa", search_method="semantic_search") == ["aaaa", "ab", "bbbb"]
    assert library.asked[-1].body == {"model": "letters", "input": ["aaa"], "encoding_format": "float"}
    assert await find(client, "aaa bbbb", search_method="full_text_search") == ["bbbb"]
    # By default both count: the vector of the query lies between, and the word decides.
    assert (await find(client, "aaaa bbbb ab ab", vector_weight=0.1))[0] == "ab"
    # A chunk of another model can't be compared.
    other = await add(client, stand_ins, "other")
    await index(database, other, "aaaaa", model="openai/other")
    assert "aaaaa" not in await find(client, "aaa", search_method="semantic_search")


async def test_a_new_version_takes_the_place_of_the_old_one_when_it_is_complete(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    first = await add(client, stand_ins, "d")
    await index(database, first, "old cats", "more old cats")
    await index(database, first, "old cats", "more old cats")
    assert sorted(await find(client, "cats")) == ["more old cats", "old cats"]
    second = await add(client, stand_ins, "d")
    await write(database, "knowledge.documents", second)
    assert len(await find(client, "cats")) == 2
    await index(database, second, "new cats", status="FAILED")
    assert len(await find(client, "cats")) == 2
    third = await add(client, stand_ins, "d")
    await index(database, third, "newest cats")
    assert await find(client, "cats") == ["newest cats"]
    listed = await call(client, "GET", f"{PATH}/faq/documents")
    assert [(one["name"], one["version"]) for one in listed["data"]] == [("d", third["version"])]
    rows = await database.query("SELECT content FROM knowledge_chunks")
    assert rows.rows == [["newest cats"]]


async def test_the_old_chunks_are_found_until_all_new_ones_are_there(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    await index(database, await add(client, stand_ins, "d"), "old cats")
    second = await add(client, stand_ins, "d")
    done = {**second, "status": "COMPLETED", "revision": second["revision"] + 1, "chunk_count": 2}
    await write(database, "knowledge.documents", done)
    assert await find(client, "cats") == ["old cats"], "they are of another topic"
    await index(database, {**second, "revision": second["revision"] - 1}, "new cats", status="QUEUED")
    assert await find(client, "cats") == ["old cats"]
    earlier = (
        "ALTER TABLE knowledge_document_changes UPDATE recorded_at = recorded_at - INTERVAL 2 HOUR WHERE 1"
    )
    await database.execute(f"{earlier} SETTINGS mutations_sync = 1")
    assert await find(client, "cats") == ["new cats"], "no more will come"


async def test_what_is_deleted_is_not_found(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    document = await add(client, stand_ins, "d")
    await index(database, document, "cats")
    path = f"{PATH}/faq/documents/{document['id']}"
    assert (await call(client, "GET", path))["status"] == "COMPLETED"
    await call(client, "DELETE", path, 204)
    deleted = queued(stand_ins)[-1]
    assert (deleted["id"], deleted["status"], deleted["file_id"]) == (document["id"], "DELETED", None)
    await write(database, "knowledge.documents", deleted)
    assert await find(client, "cats") == []
    await call(client, "GET", path, 404)


async def test_what_an_ingress_has_added_whose_clock_is_ahead_can_be_deleted(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    document = await add(client, stand_ins, "d")
    await index(database, {**document, "version": document["version"] + 60_000_000}, "cats")
    await call(client, "DELETE", f"{PATH}/faq/documents/{document['id']}", 204)
    await write(database, "knowledge.documents", queued(stand_ins)[-1])
    assert await find(client, "cats") == []
    assert (await call(client, "GET", f"{PATH}/faq/documents"))["data"] == []


async def test_what_is_added_again_follows_what_an_ingress_has_added_whose_clock_is_ahead(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    document = await add(client, stand_ins, "d")
    await index(database, {**document, "version": document["version"] + 60_000_000}, "old cats")
    await index(database, await add(client, stand_ins, "d"), "new cats")
    assert await find(client, "cats") == ["new cats"]
    await call(client, "DELETE", f"{PATH}/faq/documents/{document['id']}", 204)
    await write(database, "knowledge.documents", queued(stand_ins)[-1])
    await index(database, await add(client, stand_ins, "d"), "newest cats")
    assert await find(client, "cats") == ["newest cats"]


async def test_without_an_index_documents_are_queued_all_the_same(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    await database.execute("RENAME TABLE knowledge_document_changes TO gone")
    try:
        first, second = await add(client, stand_ins, "d"), await add(client, stand_ins, "d")
    finally:
        await database.execute("RENAME TABLE gone TO knowledge_document_changes")
    assert second["version"] > first["version"]


async def test_a_dataset_takes_its_documents_with_it(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    document = await add(client, stand_ins, "d")
    await index(database, document, "cats")
    await call(client, "DELETE", f"{PATH}/faq", 204)
    assert queued(stand_ins)[-1]["status"] == "DELETED"
    await call(client, "POST", f"{PATH}/faq/search", 404, json={"query": "cats"})


CONDITIONS = [
    ("lang", "is", "en", "ab"),
    ("lang", "is not", "en", "cd"),
    ("lang", "in", ["en", "fr"], "abd"),
    ("lang", "in", "en, fr", "abd"),
    ("lang", "not in", ["en"], "cd"),
    ("lang", "empty", None, "c"),
    ("lang", "not empty", None, "abd"),
    ("lang", "start with", "e", "ab"),
    ("lang", "end with", "r", "d"),
    ("lang", "contains", "n", "ab"),
    ("lang", "not contains", "n", "cd"),
    ("year", "=", 2020, "a"),
    ("year", "≠", "2020", "bcd"),
    ("year", ">", 2020, "bd"),
    ("year", "≥", 2020, "abd"),
    ("year", "<", 2021, "ac"),
    ("year", "≤", 2021, "abc"),
    ("day", "before", "2024-02-01", "a"),
    ("day", "after", "2024-02-01", "b"),
    ("day", "after", "1706745600", "b"),
    ("document_name", "is", "c", "c"),
]


@pytest.mark.parametrize(
    ("count", "operator", "value"), [(501, "is", "en"), (1, "in", ["en"] * 500), (1, "not in", "en," * 500)]
)
async def test_there_is_an_end_to_conditions(
    client: Client, count: int, operator: str, value: list[str] | str
) -> None:
    await create(client)
    conditions = [{"name": "lang", "comparison_operator": operator, "value": value}] * count
    body = {"query": "word", "metadata_condition": {"conditions": conditions}}
    refused = await call(client, "POST", f"{PATH}/faq/search", 422, json=body)
    assert "501 conditions and values, at most 500 are possible" in str(refused)


async def test_conditions_on_metadata(client: Client, stand_ins: StandIns, database: ClickHouse) -> None:
    await create(client)
    metadata = {
        "a": {"lang": "en", "year": 2020, "day": "2024-01-01"},
        "b": {"lang": "en", "year": 2021, "day": "2024-03-01"},
        "c": {"year": "2019"},
        "d": {"lang": "fr", "year": 2022.5},
    }
    for name, of in metadata.items():
        await index(database, await add(client, stand_ins, name, metadata=of), f"word {name}")
    for field, operator, value, expected in CONDITIONS:
        condition = {"name": field, "comparison_operator": operator, "value": value}
        found = await find(client, "word", metadata_condition={"conditions": [condition]})
        assert "".join(sorted(text[-1] for text in found)) == expected, condition
    two = [
        {"name": "lang", "comparison_operator": "is", "value": "fr"},
        {"name": "year", "comparison_operator": "<", "value": 2020},
    ]
    found = await find(client, "word", metadata_condition={"logical_operator": "or", "conditions": two})
    assert sorted(found) == ["word c", "word d"]
    assert await find(client, "word", metadata_condition={"conditions": two}) == []
    quote = {"name": "a'b", "comparison_operator": "is", "value": "x' OR 1 = 1 --\\"}
    assert await find(client, "word", metadata_condition={"conditions": [quote]}) == []


async def test_a_worker_asks_in_the_format_of_the_external_knowledge_api(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    dataset = await create(client, aliases=["c9f1"])
    document = await add(client, stand_ins, "pets.txt", metadata={"lang": "en"})
    await index(database, document, "cats", "more cats")
    box = SecretBox(SECRET_KEY.encode())
    token = issue(box, DEFAULT_TENANT, 4_000_000_000)
    body = {
        "knowledge_id": "c9f1",
        "query": "cats",
        "retrieval_setting": {"top_k": 1, "score_threshold": 0.0},
        "unknown": 1,
    }
    headers = {"Authorization": f"Bearer {token}"}
    path = "/api/v1/knowledge/retrieval"
    (record,) = (await call(client, "POST", path, json=body, headers=headers))["records"]
    assert (record["content"], record["title"]) == ("cats", "pets.txt")
    assert record["metadata"]["lang"] == "en"
    assert record["metadata"]["_chunk"]["document_id"] == document["id"]
    body["knowledge_id"] = "gone"
    assert (await call(client, "POST", path, 404, json=body, headers=headers))["error_code"] == 2001
    # Another tenant's worker finds nothing, and an old token is none.
    other = {"Authorization": f"Bearer {issue(box, 'other', 4_000_000_000)}"}
    body["knowledge_id"] = dataset["id"]
    await call(client, "POST", path, 404, json=body, headers=other)
    old = {"Authorization": f"Bearer {issue(box, DEFAULT_TENANT, 1_000)}"}
    await call(client, "POST", path, 401, json=body, headers=old)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"kind": "external"}, "endpoint and knowledge_id"),
        ({"endpoint": "http://x"}, "takes no endpoint"),
        ({"credentials": {"api_key": "x"}}, "an index takes none"),
        ({"retrieval": {"search_method": "semantic_search"}}, "needs an embedding"),
        ({"chunking": {"max_chars": 60, "overlap_chars": 60}}, "overlap_chars must be less"),
    ],
)
async def test_a_dataset_that_cannot_work_is_refused(client: Client, body: Json, why: str) -> None:
    refused = await call(client, "POST", PATH, 422, json={"name": "x", **body})
    assert why in str(refused["errors"])


async def test_what_cannot_be_searched_says_why(client: Client, library: Library) -> None:
    await create(client, "external", kind="external", endpoint="https://x.example", knowledge_id="k")
    await call(client, "POST", f"{PATH}/external/documents", 409, json={"name": "x", "text": "x"})
    await create(client, "no-model", embedding={"provider": "gone", "model": "m"})
    refused = await call(client, "POST", f"{PATH}/no-model/search", 409, json={"query": "x"})
    assert "'gone', which is not configured" in refused["detail"]
    await create(client, "bad-model", embedding={"provider": "openai", "model": "m"})
    library.answers["/v1/embeddings"] = lambda _: (401, {"error": "bad key"})
    refused = await call(client, "POST", f"{PATH}/bad-model/search", 409, json={"query": "x"})
    assert "bad key" in refused["detail"]
    await call(client, "POST", f"{PATH}/no-model/documents", 422, json={"name": "x"})
    await call(client, "POST", f"{PATH}/no-model/documents", 404, json={"file_id": "gone"})


async def test_sql_shows_the_tenant_its_chunks(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    await create(client)
    document = await add(client, stand_ins, "d")
    await index(database, document, "cats", "dogs")
    other = {**document, "tenant_id": "other", "id": "0a3b2f5e-7e5c-5f5e-9f0a-0d5b8c1d2e3f"}
    await index(database, other, "birds")
    query = "SELECT content FROM knowledge_chunks ORDER BY content"
    answer = await call(client, "POST", "/api/v1/sql", json={"query": query})
    assert answer["rows"] == [["cats"], ["dogs"]]
