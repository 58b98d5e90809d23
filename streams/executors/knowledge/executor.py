"""The knowledge-retrieval node: chooses, searches, puts in order."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from schemas.models.dataset import Dataset
from schemas.nodes.knowledge_retrieval import KnowledgeRetrievalData, ModelChoice, MultipleRetrieval, Operator
from streams.executors.knowledge.choosing import choose_conditions, choose_dataset
from streams.executors.knowledge.passages import Passage, as_result, best
from streams.executors.knowledge.reranking import rerank
from streams.executors.knowledge.sources import Search, Sources
from streams.executors.models.finding import Models
from streams.executors.outcome import NodeCall, Outcome

_OPERATORS: tuple[str, ...] = get_args(Operator)


class KnowledgeRetrievalExecutor:
    """A `NodeExecutor`. Also raises `NodeExecutorError`, which fails the node."""

    def __init__(self, sources: Sources, models: Models) -> None:
        self._sources = sources
        self._models = models

    async def __call__(self, call: NodeCall) -> Outcome:
        """`config` is the node's data; `inputs` has the `query`."""
        data = KnowledgeRetrievalData.model_validate(call.config)
        query = call.inputs["query"]
        datasets = self._sources.find(call.tenant_id, data.dataset_ids)
        if not datasets:
            return Outcome("succeeded", outputs={"result": []})
        condition = await self._condition(call, data, datasets, query)
        if data.retrieval_mode == "single":
            passages = await self._single(call, data, datasets, Search(query=query, condition=condition))
        else:
            config = data.multiple_retrieval_config or MultipleRetrieval()
            passages = await self._multiple(call, config, datasets, query, condition)
        shown = {"metadata_condition": condition} if condition else {}
        return Outcome("succeeded", outputs={"result": as_result(passages)}, process_data=shown)

    async def _single(
        self, call: NodeCall, data: KnowledgeRetrievalData, datasets: Sequence[Dataset], search: Search
    ) -> list[Passage]:
        """Of one dataset, as that says. With only one there is nothing to choose."""
        chosen: Dataset | None = datasets[0]
        if len(datasets) > 1:
            choice = data.single_retrieval_config.model if data.single_retrieval_config else ModelChoice()
            model = self._models.find(call.tenant_id, choice.provider, choice.name)
            key = f"{call.execution_id}/dataset"
            chosen = await choose_dataset(model, choice.completion_params, datasets, search.query, key)
        if chosen is None:
            return []
        return best(await self._sources.search([chosen], search), chosen.retrieval.top_k, None)

    async def _multiple(
        self,
        call: NodeCall,
        config: MultipleRetrieval,
        datasets: Sequence[Dataset],
        query: str,
        condition: Mapping[str, Any] | None,
    ) -> list[Passage]:
        """Of all datasets together. A reranking model gives the scores that the threshold is for."""
        reranker = config.reranker
        search = Search(
            query=query,
            top_k=config.top_k,
            threshold=None if reranker else config.threshold,
            condition=condition,
            vector_weight=config.weights.vector_setting.vector_weight if config.weights else None,
        )
        passages = await self._sources.search(datasets, search)
        if reranker:
            model = self._models.find(call.tenant_id, reranker.provider, reranker.model)
            passages = await rerank(model, query, passages, f"{call.execution_id}/rerank")
        return best(passages, config.top_k, config.threshold)

    async def _condition(
        self, call: NodeCall, data: KnowledgeRetrievalData, datasets: Sequence[Dataset], query: str
    ) -> dict[str, Any] | None:
        """As the retrieval API takes it; None where all documents count."""
        found = data.metadata_filtering_conditions
        if data.metadata_filtering_mode == "manual":
            return found.model_dump() if found and found.conditions else None
        fields = sorted({field for dataset in datasets for field in dataset.metadata_fields})
        choice = data.metadata_model_config
        if data.metadata_filtering_mode == "disabled" or choice is None or not fields:
            return None
        model = self._models.find(call.tenant_id, choice.provider, choice.name)
        key = f"{call.execution_id}/conditions"
        return await choose_conditions(model, choice.completion_params, fields, _OPERATORS, query, key)
