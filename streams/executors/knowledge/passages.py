"""What retrieval finds, and the shape in which workflows get it: that of Dify, which llm nodes read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.models.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that answers the query, more or less."""

    dataset: Dataset
    content: str
    title: str
    score: float | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the API gave: of the document, and for an index also of the chunk (under `_chunk`)."""

    def scored(self, score: float) -> "Passage":
        """With another score."""
        return replace(self, score=score)


def best(passages: Iterable[Passage], top_k: int, threshold: float | None) -> list[Passage]:
    """Those of at least the threshold, the best first; of equal contents only the best. One without a score
    is never left out by the threshold, and comes last."""
    ordered = sorted(passages, key=lambda one: -(one.score or 0.0))
    found: dict[tuple[str, str], Passage] = {}
    for one in ordered:
        if threshold is None or one.score is None or one.score >= threshold:
            found.setdefault((one.dataset.id, one.content), one)
    return list(found.values())[:top_k]


def as_result(passages: Iterable[Passage]) -> list[dict[str, Any]]:
    """The output `result` of the node."""
    return [_item(position, passage) for position, passage in enumerate(passages, 1)]


def _item(position: int, passage: Passage) -> dict[str, Any]:
    metadata = dict(passage.metadata)
    chunk = metadata.pop("_chunk", None)
    external = passage.dataset.kind == "external"
    shown: dict[str, Any] = {
        "_source": "knowledge",
        "position": position,
        "dataset_id": passage.dataset.id,
        "dataset_name": passage.dataset.name,
        "document_id": metadata.get("document_id") or passage.title if external else chunk["document_id"],
        "document_name": passage.title,
        "data_source_type": "external" if external else "upload_file",
        "retriever_from": "workflow",
        "score": passage.score,
        "doc_metadata": metadata,
    }
    if not external:
        shown |= {
            "segment_id": chunk["id"],
            "segment_hit_count": 0,
            "segment_word_count": len(passage.content),
            "segment_position": chunk["position"],
            "segment_index_node_hash": chunk["hash"],
        }
    return {"metadata": shown, "title": passage.title, "content": passage.content, "files": []}
