"""knowledge-retrieval: a task that carries the query and what to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.nodes.knowledge_retrieval import KnowledgeRetrievalData, MetadataCondition
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Task
from streams.engine.pool import Getter, Pool, getter, or_none
from streams.engine.texts import compile_text

_ERROR = "KnowledgeRetrievalNodeError"

Conditions = Callable[[Pool], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class KnowledgeRetrievalNode:
    """The task's config is the node's data, with the values of the conditions on metadata filled in; its one
    input is `query`.
    """

    data: KnowledgeRetrievalData
    query: Getter
    conditions: Conditions

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`."""
        query = or_none(self.query(pool))
        if query is not None and not isinstance(query, str):
            raise NodeFailure("Query variable is not string type.", _ERROR, {"query": query})
        if not query:
            raise NodeFailure("Query is required.", _ERROR, {"query": query})
        config = self.data.model_dump(exclude={"desc", "query_variable_selector", "default_value"})
        if config["metadata_filtering_conditions"]:
            config["metadata_filtering_conditions"]["conditions"] = self.conditions(pool)
        return Task(config, {"query": query})


def compile_knowledge_retrieval(data: KnowledgeRetrievalData) -> KnowledgeRetrievalNode:
    """The selector, and the texts of the conditions."""
    found = data.metadata_filtering_conditions
    return KnowledgeRetrievalNode(
        data, getter(data.query_variable_selector), _compile_conditions(found.conditions if found else [])
    )


def _compile_conditions(conditions: list[MetadataCondition]) -> Conditions:
    compiled = [(condition, _compile_value(condition.value)) for condition in conditions]
    return lambda pool: [{**condition.model_dump(), "value": value(pool)} for condition, value in compiled]


def _compile_value(value: Any) -> Callable[[Pool], Any]:
    if isinstance(value, str):
        return compile_text(value)
    if isinstance(value, list):
        texts = [compile_text(item) for item in value]
        return lambda pool: [text(pool) for text in texts]
    return lambda _: value
