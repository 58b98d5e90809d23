"""The stage that indexes: one document in, its chunks and its new status out. Stateless, concurrent.

Doing a document twice gives the same chunks under the same ids, so a crash in the middle costs nothing.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import entity_id, now_us
from schemas.models import Dataset, ModelProvider
from schemas.models.model_provider import API_KEY
from schemas.words import words_of
from streams.executors.catalog import Catalog
from streams.executors.documents.inside.errors import DocumentExtractorError
from streams.executors.documents.processes import DocumentParsers
from streams.executors.errors import NodeExecutorError
from streams.executors.settings import ExecutorSettings
from streams.knowledge.splitting import TooManyChunks, split
from streams.shell.stage import Record, TaskStage
from transport.definitions import DATASETS
from transport.egress import EgressPolicy
from transport.embeddings import embed
from transport.errors import TransportError
from transport.feed import DefinitionsFeed
from transport.files import FileStore
from transport.guarded_session import EgressGuard
from transport.model_endpoint import ModelEndpoint
from transport.producer import Send

log = logging.getLogger(__name__)

DOCUMENTS, CHUNKS = "knowledge.documents", "knowledge.chunks"

_MAX_ERROR_CHARS = 2000


class _Unusable(Exception):
    """The document can't be indexed, for a reason that its owner can do something about."""


@asynccontextmanager
async def open_indexer(
    settings: ExecutorSettings, feed: DefinitionsFeed, codec: Codec, files: FileStore, catalog: Catalog
) -> AsyncIterator["Indexer"]:
    """Opens what the stage needs. Raises `ValueError` for a bad allow-list."""
    guard = EgressGuard(EgressPolicy(settings.egress.allow))
    async with guard.session() as session, DocumentParsers(settings.documents) as parsers:
        yield Indexer(
            feed=feed,
            codec=codec,
            files=files,
            parsers=parsers,
            catalog=catalog,
            session=session,
            concurrency=settings.documents.processes,
            max_bytes=settings.documents.max_file_mb << 20,
        )


@dataclass(frozen=True, kw_only=True)
class Indexer:
    """Reads `knowledge.documents`; writes it, and `knowledge.chunks`."""

    feed: DefinitionsFeed
    codec: Codec
    files: FileStore
    parsers: DocumentParsers
    catalog: Catalog
    session: aiohttp.ClientSession
    """The guarded one."""
    concurrency: int
    max_bytes: int
    """Of a document."""

    def stage(self) -> TaskStage:
        """The declaration that the shell runs."""
        return TaskStage("documents", (DOCUMENTS,), self.index, self.concurrency)

    async def index(self, record: Record) -> list[Send]:
        """Nothing for a document that is not queued: this stage has written that itself."""
        document = self.codec.decode("KnowledgeDocument", record.value)
        if document["status"] != "QUEUED":
            return []
        try:
            dataset = await self._dataset(document)
            text = await self._text(document)
            # NUL is no character of a text, and nothing that shows it afterwards can take it.
            contents = await asyncio.to_thread(split, text.replace("\0", ""), dataset.chunking)
            if not contents:
                raise _Unusable("there is no text in the document; one of scanned pages has none")
            vectors = await self._vectors(document, dataset, contents)
            # That takes a while, and nobody would delete the chunks of a dataset that is gone.
            await self._dataset(document)
            # In threads: a large document takes seconds, in which all else would wait.
            chunks = await asyncio.to_thread(self._chunks, document, dataset, contents, vectors)
        except (_Unusable, TooManyChunks, DocumentExtractorError, NodeExecutorError, TransportError) as error:
            return [self._finished(document, "FAILED", error=str(error)[:_MAX_ERROR_CHARS])]
        except Exception as error:  # a fault of this worker: the document must not stay queued for ever
            log.exception("document %s of dataset %s", document["id"], document["dataset_id"])
            return [self._finished(document, "FAILED", error=f"{type(error).__name__}: {error}")]
        done = self._finished(document, "COMPLETED", chunk_count=len(chunks), character_count=len(text))
        return [*chunks, done]

    async def _dataset(self, document: AvroRecord) -> Dataset:
        await self.feed.reach(DATASETS, document["datasets_offset"])
        known = self.feed.definitions.providers(Dataset, document["tenant_id"])
        found = next((one for one in known if one.id == document["dataset_id"]), None)
        if found is None:
            raise _Unusable("the dataset has been deleted")
        return found

    async def _text(self, document: AvroRecord) -> str:
        content = await self.files.read(document["tenant_id"], document["file_id"], self.max_bytes)
        return await self.parsers.text_of(content, document["extension"], document["mime_type"])

    async def _vectors(
        self, document: AvroRecord, dataset: Dataset, contents: Sequence[str]
    ) -> Sequence[Sequence[float]]:
        """One for each of the contents, all of them empty for a dataset without an embedding."""
        embedding = dataset.embedding
        if embedding is None:
            return [()] * len(contents)
        provider = self.catalog.find(ModelProvider, dataset.tenant_id, embedding.provider)
        endpoint = ModelEndpoint(provider, self.catalog.credentials(provider).get(API_KEY), self.session)
        return await embed(endpoint, embedding, contents, f"{document['id']}/{document['version']}")

    def _chunks(
        self,
        document: AvroRecord,
        dataset: Dataset,
        contents: Sequence[str],
        vectors: Sequence[Sequence[float]],
    ) -> list[Send]:
        shared = {name: document[name] for name in ("tenant_id", "dataset_id", "version")}
        shared["embedding_model"] = dataset.embedding.identity if dataset.embedding else ""
        return [
            self._chunk(
                {
                    **shared,
                    "id": entity_id("chunk", document["id"], str(document["version"]), str(position)),
                    "document_id": document["id"],
                    "position": position,
                    "content": content,
                    "hash": hashlib.sha256(content.encode()).hexdigest(),
                    "words": words_of(content),
                    "vector": vector,
                }
            )
            for position, (content, vector) in enumerate(zip(contents, vectors, strict=True), 1)
        ]

    def _chunk(self, chunk: AvroRecord) -> Send:
        return Send(CHUNKS, chunk["document_id"].encode(), self.codec.encode("KnowledgeChunk", chunk))

    def _finished(self, document: AvroRecord, status: str, **changes: object) -> Send:
        finished = {**document, "status": status, "finished_at": now_us(), **changes}
        finished["revision"] = document["revision"] + 1
        return Send(DOCUMENTS, document["id"].encode(), self.codec.encode("KnowledgeDocument", finished))
