"""The stage that indexes: a queued document in, chunks and its new status out."""

import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.ids import now_us
from schemas.models import DEFAULT_TENANT
from streams.executors.catalog import Catalog
from streams.executors.documents.settings import DocumentSettings
from streams.executors.settings import EgressSettings, ExecutorSettings
from streams.knowledge.documents import Indexer, open_indexer
from streams.shell.stage import Record
from tests.streams.executors.knowledge.library import BOX, Library, running_library
from transport.definitions import DATASETS, Definitions
from transport.files import FileLinks, FileStore, StoredFile
from transport.storage import Storage

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODEC = SingleObjectCodec()
Json = dict[str, Any]


class Feed:
    """Definitions that are there."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.reached: list[tuple[str, int]] = []

    async def reach(self, topic: str, offset: int) -> None:
        self.reached.append((topic, offset))


class Bench:
    """The stage, and what is around it."""

    def __init__(self, indexer: Indexer, library: Library, files: FileStore, feed: Feed) -> None:
        self.indexer, self.library, self.files, self.feed = indexer, library, files, feed

    async def document(self, content: bytes, **changes: Any) -> Json:
        file = StoredFile(
            id=f"f{now_us()}",
            tenant_id=DEFAULT_TENANT,
            filename="x.txt",
            mime_type="text/plain",
            size=len(content),
            created_at=0,
        )
        await self.files.save(file, content)
        return {
            "id": "0a3b2f5e-7e5c-5f5e-9f0a-0d5b8c1d2e3f",
            "revision": 100,
            "tenant_id": DEFAULT_TENANT,
            "dataset_id": "faq-id",
            "version": 100,
            "status": "QUEUED",
            "name": "x.txt",
            "file_id": file.id,
            "extension": ".txt",
            "datasets_offset": 7,
            "created_at": 0,
            **changes,
        }

    async def index(self, document: Json) -> tuple[list[Json], Json]:
        """Chunks, and the document afterwards."""
        sends = await self.indexer.index(
            Record(
                "knowledge.documents",
                0,
                0,
                document["id"].encode(),
                CODEC.encode("KnowledgeDocument", document),
                (),
                0,
            )
        )
        *chunks, done = sends
        assert {send.key for send in sends} == {document["id"].encode()}
        assert done.topic == "knowledge.documents"
        assert all(chunk.topic == "knowledge.chunks" for chunk in chunks)
        decoded = [CODEC.decode("KnowledgeChunk", chunk.value) for chunk in chunks]
        return decoded, CODEC.decode("KnowledgeDocument", done.value)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench() -> AsyncIterator[Bench]:
    files = FileStore(Storage(MemoryStore()), FileLinks("", "", 60))
    settings = ExecutorSettings(
        egress=EgressSettings(allow=("127.0.0.1",)), documents=DocumentSettings(processes=1, max_file_mb=1)
    )
    async with running_library() as library:
        library.models()
        feed, catalog = Feed(library.definitions), Catalog(library.definitions, BOX)
        async with open_indexer(settings, feed, CODEC, files, catalog) as indexer:  # type: ignore[arg-type]
            yield Bench(indexer, library, files, feed)


async def test_a_text_becomes_chunks_with_their_words(bench: Bench) -> None:
    bench.library.dataset("faq", kind="index", chunking={"max_chars": 50, "overlap_chars": 0})
    text = "First paragraph of this.\n\nThe second one is Longer than that.\n\n" + "\0"
    chunks, done = await bench.index(await bench.document(text.encode()))
    assert bench.feed.reached[-1] == ("definitions.datasets", 7)
    assert [chunk["content"] for chunk in chunks] == [
        "First paragraph of this.",
        "The second one is Longer than that.",
    ]
    assert [chunk["position"] for chunk in chunks] == [1, 2]
    assert chunks[1]["words"] == ["the", "second", "one", "is", "longer", "than", "that"]
    assert (chunks[0]["vector"], chunks[0]["embedding_model"]) == ([], "")
    assert (done["status"], done["chunk_count"], done["revision"]) == ("COMPLETED", 2, 101)
    assert done["version"] == chunks[0]["version"] == 100


class Noting:
    """The codec, which notes in which thread it writes chunks."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def encode(self, schema: str, record: Mapping[str, Any]) -> bytes:
        if schema == "KnowledgeChunk":
            self.threads.add(threading.get_ident())
        return CODEC.encode(schema, record)

    def decode(self, schema: str, value: bytes | None) -> Json:
        return CODEC.decode(schema, value)


async def test_chunks_are_made_beside_the_loop(bench: Bench) -> None:
    bench.library.dataset("faq", kind="index")
    codec = Noting()
    other = Bench(replace(bench.indexer, codec=codec), bench.library, bench.files, bench.feed)
    chunks, _ = await other.index(await bench.document(b"text"))
    assert [chunk["content"] for chunk in chunks] == ["text"]
    assert codec.threads
    assert threading.get_ident() not in codec.threads


async def test_a_document_that_is_too_large_is_not_even_read(bench: Bench) -> None:
    bench.library.dataset("faq", kind="index")
    chunks, done = await bench.index(await bench.document(b"x" * ((1 << 20) + 1)))
    assert (chunks, done["status"]) == ([], "FAILED")
    assert "1048576" in done["error"]


async def test_doing_it_again_gives_the_same_chunks(bench: Bench) -> None:
    bench.library.dataset("faq", kind="index")
    document = await bench.document(b"text")
    assert (await bench.index(document))[0] == (await bench.index(document))[0]
    later, _ = await bench.index({**document, "version": 200})
    assert later[0]["id"] != (await bench.index(document))[0][0]["id"]


async def test_vectors_are_asked_for_in_batches(bench: Bench) -> None:
    embedding = {"provider": "openai", "model": "m", "dimensions": 2, "batch_size": 2}
    bench.library.dataset(
        "faq", kind="index", embedding=embedding, chunking={"max_chars": 50, "overlap_chars": 0}
    )
    bench.library.answers["/v1/embeddings"] = lambda body: {
        "data": [
            {"index": i, "embedding": [len(t), 0.5]} for i, t in reversed(list(enumerate(body["input"])))
        ]
    }
    bench.library.asked.clear()
    text = "\n\n".join(f"{n} " + "x" * 40 for n in (1, 22, 333))
    chunks, done = await bench.index(await bench.document(text.encode()))
    assert [len(asked.body["input"]) for asked in bench.library.asked] == [2, 1]
    assert bench.library.asked[0].body["dimensions"] == 2
    assert [chunk["vector"] for chunk in chunks] == [[42, 0.5], [43, 0.5], [44, 0.5]]
    assert {chunk["embedding_model"] for chunk in chunks} == {"openai/m/2"}
    assert done["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("content", "changes", "dataset", "why"),
    [
        (b"x", {"extension": ".exe"}, {}, "Unsupported Extension Type: .exe"),
        (b"x", {"extension": ".pdf"}, {}, "Failed to extract text from PDF"),
        (b" \n ", {}, {}, "there is no text in the document"),
        (b"x", {"file_id": "gone"}, {}, "gone"),
        (b"x", {"dataset_id": "other"}, {}, "the dataset has been deleted"),
        (b"x", {}, {"embedding": {"provider": "no", "model": "m"}}, "'no' is not configured"),
        (b"x", {}, {"embedding": {"provider": "openai", "model": "m"}}, "status 400"),
    ],
)
async def test_what_cannot_be_indexed_says_why(
    bench: Bench, content: bytes, changes: Json, dataset: Json, why: str
) -> None:
    bench.library.dataset("faq", kind="index", **dataset)
    bench.library.answers["/v1/embeddings"] = lambda _: (400, {"error": "no"})
    chunks, done = await bench.index(await bench.document(content, **changes))
    assert chunks == []
    assert done["status"] == "FAILED"
    assert why in done["error"]
    assert done["revision"] == 101


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "DELETED"])
async def test_what_is_not_queued_is_left_alone(bench: Bench, status: str) -> None:
    document = await bench.document(b"x", status=status)
    value = CODEC.encode("KnowledgeDocument", document)
    assert await bench.indexer.index(Record("knowledge.documents", 0, 0, b"k", value, (), 0)) == []


async def test_a_dataset_that_goes_meanwhile_gets_no_chunks(bench: Bench) -> None:
    bench.library.dataset("faq", kind="index", embedding={"provider": "openai", "model": "m"})

    def embed(body: Json) -> Json:
        bench.library.definitions.apply(DATASETS, "faq-id", None)
        return {"data": [{"index": i, "embedding": [1.0]} for i, _ in enumerate(body["input"])]}

    bench.library.answers["/v1/embeddings"] = embed
    chunks, done = await bench.index(await bench.document(b"x"))
    assert chunks == []
    assert (done["status"], done["error"]) == ("FAILED", "the dataset has been deleted")
