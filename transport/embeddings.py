"""Vectors of texts, by the `/embeddings` interface of OpenAI."""

from array import array
from collections.abc import Sequence
from typing import Any

from schemas.models.dataset import Embedding
from transport.errors import ModelRefused
from transport.model_endpoint import ModelEndpoint


async def embed(
    endpoint: ModelEndpoint, embedding: Embedding, texts: Sequence[str], key: str | None = None
) -> list[Sequence[float]]:
    """A vector for each text, in order; all of one length, and of four bytes a number: a document may have
    tens of thousands, as lists ten times as large. Raises `ModelRefused`.

    `key`: the same when the same texts are embedded again, because of a crash."""
    vectors: list[Sequence[float]] = []
    for start in range(0, len(texts), embedding.batch_size):
        batch = texts[start : start + embedding.batch_size]
        of_batch = None if key is None else f"{key}/{start}"
        reply = await endpoint.post("embeddings", _body(endpoint, embedding, batch), of_batch)
        vectors += _vectors(reply, len(batch))
    if len({len(vector) for vector in vectors}) > 1:
        raise ModelRefused(f"model {embedding.model} gave vectors of different lengths")
    return vectors


def _body(endpoint: ModelEndpoint, embedding: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    served_as = endpoint.provider.settings_of(embedding.model).served_as
    body = {"model": served_as or embedding.model, "input": list(texts), "encoding_format": "float"}
    return {**body, "dimensions": embedding.dimensions} if embedding.dimensions else body


def _vectors(reply: Any, wanted: int) -> list[Sequence[float]]:
    try:
        items = sorted(enumerate(reply["data"]), key=_place)
        vectors: list[Sequence[float]] = [array("f", item["embedding"]) for _, item in items]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelRefused("the reply has no embeddings. Is base_url right?") from error
    if len(vectors) != wanted or not all(vectors):
        raise ModelRefused(f"the reply has {len(vectors)} embeddings for {wanted} texts")
    return vectors


def _place(item: tuple[int, Any]) -> int:
    """Gemini leaves out an index that is 0, others leave out all of them: they answer in order."""
    place, embedding = item
    index = embedding.get("index")
    return place if index is None else int(index)
