"""Searching an index: `POST /api/v1/knowledge/retrieval` is Dify's external knowledge API, which our workers
call and a Dify may, with `…/api/v1/knowledge` as its endpoint; `…/datasets/{name}/search` is for people."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import Field

from ingress.errors import Conflict
from ingress.keys import EGRESS, FEED, SECRETS
from ingress.knowledge.conditions import Conditions
from ingress.knowledge.datasets import PATH, TAG, index_of
from ingress.knowledge.documents import clickhouse_of
from ingress.knowledge.search import Found, Query, search
from ingress.operation import Operation
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody
from schemas.models import Dataset, ModelProvider
from schemas.models.dataset import Embedding, SearchMethod
from schemas.models.model_provider import API_KEY
from transport.embeddings import embed
from transport.errors import ModelRefused
from transport.model_endpoint import ModelEndpoint

_MAX_TOP_K = 100
_EMBEDDED_CHARS = 8_000
"""Of a query: what models for embeddings take of a text."""


class RetrievalSetting(RequestBody):
    """How much to find."""

    model_config = {"extra": "ignore"}

    top_k: int = Field(default=4, ge=1)
    score_threshold: float = 0.0
    vector_weight: float | None = Field(default=None, ge=0, le=1)
    """An addition of ours: in a hybrid search, instead of the dataset's own."""


class RetrievalBody(RequestBody):
    """A request of the external knowledge API."""

    model_config = {"extra": "ignore"}

    knowledge_id: str
    """Name, id or alias of the dataset."""
    query: str
    retrieval_setting: RetrievalSetting = RetrievalSetting()
    metadata_condition: Conditions | None = None


class Record(Answer):
    """A chunk, as that API gives it."""

    content: str
    score: float
    title: str
    metadata: dict[str, Any]
    """Of the document; `_chunk` says which chunk it is."""


class RetrievalAnswer(Answer):
    """The best first."""

    records: list[Record]


class SearchBody(RequestBody):
    """A search as the dataset says, unless it is said here."""

    query: str = Field(min_length=1)
    search_method: SearchMethod | None = None
    top_k: int | None = Field(default=None, ge=1, le=_MAX_TOP_K)
    score_threshold: float | None = Field(default=None, ge=0, le=1)
    vector_weight: float | None = Field(default=None, ge=0, le=1)
    metadata_condition: Conditions | None = None


async def retrieve(request: web.Request) -> web.Response:
    """Errors are problem documents, with `error_code` and `error_msg` of that API besides."""
    wanted = await read_model(request, RetrievalBody)
    setting = wanted.retrieval_setting
    as_search = SearchBody.model_construct(
        query=wanted.query,
        search_method=None,
        top_k=min(setting.top_k, _MAX_TOP_K),
        score_threshold=setting.score_threshold,
        vector_weight=setting.vector_weight,
        metadata_condition=wanted.metadata_condition,
    )
    return await _answer(request, index_of(request, wanted.knowledge_id), as_search)


async def search_one(request: web.Request) -> web.Response:
    """What a knowledge-retrieval node would find."""
    wanted = await read_model(request, SearchBody)
    return await _answer(request, index_of(request, request.match_info["name"]), wanted)


async def _answer(request: web.Request, dataset: Dataset, wanted: SearchBody) -> web.Response:
    defaults = dataset.retrieval
    method = wanted.search_method or dataset.search_method
    vector: Sequence[float] = ()
    if method != "full_text_search":
        if dataset.embedding is None:
            raise Conflict(f"{method} needs an embedding, and dataset {dataset.name!r} has none")
        vector = await _vector(request, dataset, dataset.embedding, wanted.query)
    threshold = defaults.score_threshold if wanted.score_threshold is None else wanted.score_threshold
    weight = defaults.vector_weight if wanted.vector_weight is None else wanted.vector_weight
    query = Query(
        tenant_id=dataset.tenant_id,
        dataset_id=dataset.id,
        text=wanted.query,
        method=method,
        top_k=wanted.top_k or defaults.top_k,
        threshold=threshold or 0.0,
        vector_weight=weight,
        conditions=wanted.metadata_condition,
        vector=vector,
        model=dataset.embedding.identity if dataset.embedding else "",
    )
    found = await search(clickhouse_of(request), query)
    return json_answer(RetrievalAnswer(records=[_record(one) for one in found]))


async def _vector(
    request: web.Request, dataset: Dataset, embedding: Embedding, query: str
) -> Sequence[float]:
    """Raises `Conflict` where the model can't be asked, or refuses."""
    provider = request.app[FEED].definitions.provider(ModelProvider, dataset.tenant_id, embedding.provider)
    if provider is None:
        raise Conflict(
            f"dataset {dataset.name!r} names the model provider {embedding.provider!r},"
            " which is not configured"
        )
    sealed, box = provider.credentials.get(API_KEY), request.app[SECRETS]
    if sealed and box is None:
        raise Conflict("this ingress needs HOPLINE_SECRET_KEY to use the key of a model provider")
    key = box.decrypt(dataset.tenant_id, sealed) if sealed and box else None
    endpoint = ModelEndpoint(provider, key, request.app[EGRESS])
    try:
        return (await embed(endpoint, embedding, [query[:_EMBEDDED_CHARS]]))[0]
    except ModelRefused as refused:
        raise Conflict(str(refused)) from refused


def _record(one: Found) -> Record:
    chunk = {"id": one.id, "document_id": one.document_id, "position": one.position, "hash": one.hash}
    return Record(
        content=one.content,
        score=one.score,
        title=one.document_name,
        metadata={**one.metadata, "_chunk": chunk},
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/knowledge/retrieval",
        permission="read",
        handler=retrieve,
        summary="Search an index, as Dify's external knowledge API",
        tag=TAG,
        body=RetrievalBody,
        answer=RetrievalAnswer,
        errors=(400, 404, 409, 422),
    ),
    Operation(
        method="POST",
        path=PATH + "/{name}/search",
        permission="read",
        handler=search_one,
        summary="Search an index",
        tag=TAG,
        body=SearchBody,
        answer=RetrievalAnswer,
        errors=(400, 404, 409, 422),
    ),
)
