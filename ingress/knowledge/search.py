"""Search in the index: by words (BM25), by vectors (cosine), or by both.

BM25 with the constants of Lucene (k1 1.2, b 0.75) and its idf; Robertson and Zaragoza, "The Probabilistic
Relevance Framework" (2009). Scores are divided by the most that the query could reach, so that they lie
between 0 and 1 and mean the same for every query, as a threshold needs.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ingress.knowledge.conditions import Conditions, as_sql
from schemas.models.dataset import SearchMethod
from schemas.words import words_of
from transport.clickhouse import ClickHouse

_K1, _B = 1.2, 0.75
_MAX_WORDS = 64
"""Of a query; what is longer is a text to be compared by its vector."""

_CANDIDATES = 5
"""How many times as many as wanted either way finds for a hybrid search: what is far down in both counts for
nothing in the end."""

# One row for each document whose newest version that counts is complete, if it meets the conditions.
_DOCUMENTS = """
    SELECT id, version, name, metadata, status
    FROM knowledge_document_changes
    WHERE tenant_id = {tenant:String} AND dataset_id = {dataset:String} AND status IN ('COMPLETED', 'DELETED')
        AND (status = 'DELETED' OR __SETTLED__)
    ORDER BY version DESC
    LIMIT 1 BY id
"""
# Chunks are of another topic, and may be written after their document: until they are, the version before it
# counts.
_SETTLING_S = 600
"""What chunks there are of a document so long after it was written are all that there will be."""
# S608: nothing is put together here but constants of this file; the rest are parameters.
_RECENT = f"""
SELECT toUnixTimestamp64Micro(now64(6)) - {_SETTLING_S * 1_000_000} AS since, (
    SELECT count() FROM knowledge_document_changes
    WHERE tenant_id = {{tenant:String}} AND dataset_id = {{dataset:String}} AND status = 'COMPLETED'
        AND toUnixTimestamp64Micro(recorded_at) > since
)
"""  # noqa: S608
_SETTLED = "toUnixTimestamp64Micro(recorded_at) <= {since:Int64}"
_OR_WHOLE = f"""
{_SETTLED} OR (id, version, chunk_count) IN (
    SELECT document_id, version, toUInt32(uniqExact(position))
    FROM knowledge_chunk_changes
    WHERE tenant_id = {{tenant:String}} AND dataset_id = {{dataset:String}} AND document_id IN (
        SELECT id FROM knowledge_document_changes
        WHERE tenant_id = {{tenant:String}} AND dataset_id = {{dataset:String}} AND NOT ({_SETTLED})
    )
    GROUP BY document_id, version
)
"""  # noqa: S608
# A chunk that was written twice is there twice until parts are merged.
_CHUNKS = """
    FROM knowledge_chunk_changes
    WHERE tenant_id = {tenant:String} AND dataset_id = {dataset:String}
        AND (document_id, version) IN (SELECT id, version FROM documents)
"""
_WITH = f"""
WITH documents AS (SELECT * FROM ({_DOCUMENTS}) WHERE status = 'COMPLETED' AND (__CONDITIONS__))
"""  # noqa: S608
_COLUMNS = "id, document_id, position, content, hash"
_FOUND = """
SELECT found.id, found.document_id, found.position, found.content, found.hash, found.score,
    documents.name, documents.metadata
FROM found INNER JOIN documents ON documents.id = found.document_id
ORDER BY score DESC, found.document_id, found.position
"""

_BY_WORDS = f"""
{_WITH},
    ifNull((SELECT count() {_CHUNKS}), 0) AS total,
    ifNull((SELECT avg(word_count) {_CHUNKS}), 1) AS mean,
    candidates AS (
        SELECT {_COLUMNS}, word_count,
            arrayMap(word -> countEqual(words, word), {{words:Array(String)}}) AS tf
        {_CHUNKS} AND hasAny(words, {{words:Array(String)}})
        LIMIT 1 BY id
    ),
    counted AS (SELECT *, sumForEach(arrayMap(n -> toUInt64(n > 0), tf)) OVER () AS df FROM candidates),
    weighted AS (
        SELECT *, arrayMap(n -> log(1 + (greatest(total, n) - n + 0.5) / (n + 0.5)), df) AS idf,
            {_K1} * ({1 - _B} + {_B} * word_count / mean) AS saturation
        FROM counted
    ),
    found AS (
        SELECT {_COLUMNS},
            arraySum((n, weight) -> weight * n * {_K1 + 1} / (n + saturation), tf, idf)
                / ({_K1 + 1} * arraySum(idf)) AS score
        FROM weighted ORDER BY score DESC, document_id, position LIMIT {{limit:UInt32}}
    )
{_FOUND}
"""  # noqa: S608
_BY_VECTOR = f"""
{_WITH},
    found AS (
        SELECT {_COLUMNS}, greatest(0, 1 - cosineDistance(vector, {{vector:Array(Float32)}})) AS score
        {_CHUNKS} AND embedding_model = {{model:String}}
            AND length(vector) = length({{vector:Array(Float32)}})
        ORDER BY score DESC, document_id, position LIMIT 1 BY id LIMIT {{limit:UInt32}}
    )
{_FOUND}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for in one dataset. `vector` and its `model` are there unless it goes by words alone."""

    tenant_id: str
    dataset_id: str
    text: str
    method: SearchMethod
    top_k: int
    threshold: float = 0.0
    vector_weight: float = 0.7
    conditions: Conditions | None = None
    vector: Sequence[float] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One chunk."""

    id: str
    document_id: str
    position: int
    content: str
    hash: str
    score: float
    document_name: str
    metadata: dict[str, Any]


async def search(clickhouse: ClickHouse, query: Query) -> list[Found]:
    """The best first. Raises `ClickHouseUnavailable`, `StatementRefused`."""
    if query.method == "full_text_search":
        found = await _by_words(clickhouse, query, query.top_k)
    elif query.method == "semantic_search":
        found = await _by_vector(clickhouse, query, query.top_k)
    else:
        limit = query.top_k * _CANDIDATES
        words, vectors = await asyncio.gather(
            _by_words(clickhouse, query, limit), _by_vector(clickhouse, query, limit)
        )
        found = fuse(words, vectors, query.vector_weight)
    return [one for one in found if one.score >= query.threshold][: query.top_k]


def fuse(words: Sequence[Found], vectors: Sequence[Found], vector_weight: float) -> list[Found]:
    """Both lists as one, by the weighted sum of the scores. What one has not found has 0 in it."""
    scores: dict[str, float] = {}
    chunks: dict[str, Found] = {}
    for found, weight in ((words, 1 - vector_weight), (vectors, vector_weight)):
        for one in found:
            chunks[one.id] = one
            scores[one.id] = scores.get(one.id, 0.0) + weight * one.score
    order = sorted(chunks.values(), key=lambda one: (-scores[one.id], one.document_id, one.position))
    return [_scored(one, scores[one.id]) for one in order]


async def _by_words(clickhouse: ClickHouse, query: Query, limit: int) -> list[Found]:
    words = list(dict.fromkeys(words_of(query.text)))[:_MAX_WORDS]
    if not words:
        return []
    literal = "[" + ",".join(f"'{word}'" for word in words) + "]"  # words are letters, digits and _
    return await _run(clickhouse, _BY_WORDS, query, limit, {"words": literal})


async def _by_vector(clickhouse: ClickHouse, query: Query, limit: int) -> list[Found]:
    literal = "[" + ",".join(f"{number:.9g}" for number in query.vector) + "]"
    return await _run(clickhouse, _BY_VECTOR, query, limit, {"vector": literal, "model": query.model})


async def _run(
    clickhouse: ClickHouse, sql: str, query: Query, limit: int, parameters: dict[str, str]
) -> list[Found]:
    conditions, values = as_sql(query.conditions)
    shared = {"tenant": query.tenant_id, "dataset": query.dataset_id}
    since, recent = (await clickhouse.query(_RECENT, shared)).rows[0]
    shared |= {"limit": str(limit), "since": str(since)}
    sql = sql.replace("__SETTLED__", _OR_WHOLE if recent else _SETTLED)
    rows = await clickhouse.query(
        sql.replace("__CONDITIONS__", conditions), {**shared, **values, **parameters}
    )
    return [_found(row) for row in rows.rows]


def _found(row: Sequence[Any]) -> Found:
    *fields, metadata = row
    chunk_id, document_id, position, content, digest, score, name = fields
    parsed = orjson.loads(metadata or "{}")
    return Found(chunk_id, document_id, position, content, digest, score, name, parsed)


def _scored(one: Found, score: float) -> Found:
    return Found(
        one.id, one.document_id, one.position, one.content, one.hash, score, one.document_name, one.metadata
    )
