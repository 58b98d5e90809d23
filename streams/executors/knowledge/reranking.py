"""Passages put in order by a model, through the `/rerank` interface that Jina, Cohere and vLLM share."""

from collections.abc import Sequence
from typing import Any

from streams.executors.knowledge.errors import RerankingError
from streams.executors.knowledge.passages import Passage
from streams.executors.models.client import ChatModel
from transport.errors import ModelRefused
from transport.model_endpoint import ModelEndpoint


async def rerank(model: ChatModel, query: str, passages: Sequence[Passage], key: str) -> list[Passage]:
    """All of them, with the scores that the model gives. `key`: of the request. Raises `RerankingError`."""
    if not passages:
        return []
    endpoint = ModelEndpoint(model.provider, model.api_key, model.session)
    body = {
        "model": model.settings.served_as or model.name,
        "query": query,
        "documents": [passage.content for passage in passages],
        "top_n": len(passages),
        "return_documents": False,
    }
    try:
        reply = await endpoint.post("rerank", body, key)
    except ModelRefused as refused:
        raise RerankingError(str(refused)) from refused
    return [passages[index].scored(score) for index, score in _scores(reply, len(passages))]


def _scores(reply: Any, count: int) -> list[tuple[int, float]]:
    try:
        scores = {int(item["index"]): float(item["relevance_score"]) for item in reply["results"]}
    except (KeyError, TypeError, ValueError) as error:
        raise RerankingError("the reply of the reranking model has no results. Is base_url right?") from error
    if not scores.keys() <= set(range(count)):
        raise RerankingError("the reranking model scored passages that it was not given")
    return list(scores.items())
