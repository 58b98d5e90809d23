"""`knowledge-retrieval`: passages of datasets that answer a query."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from schemas.nodes.base import NodeData, Text, Tolerant
from schemas.selectors import MIN_SELECTOR_LENGTH, Reference, in_text, of

Operator = Literal[
    "contains", "not contains", "start with", "end with", "is", "is not", "in", "not in",
    "empty", "not empty", "=", "≠", ">", "<", "≥", "≤", "before", "after",
]  # fmt: skip

_Objects = BeforeValidator(lambda value: value or {})
_Lists = BeforeValidator(lambda value: value or [])


class ModelChoice(Tolerant):
    """A model that decides something: which dataset, which metadata."""

    provider: Text = ""
    name: Text = ""
    mode: Text = "chat"
    completion_params: Annotated[dict[str, Any], _Objects] = Field(default_factory=dict)


class RerankingModel(Tolerant):
    """A model that puts passages in order."""

    provider: Text = Field(default="", alias="reranking_provider_name")
    model: Text = Field(default="", alias="reranking_model_name")

    model_config = {"populate_by_name": True}


class VectorSetting(Tolerant):
    """What the vectors count."""

    vector_weight: float = 0.7


class Weights(Tolerant):
    """What the vectors count in a hybrid search; the words count the rest."""

    vector_setting: VectorSetting = VectorSetting()


class MultipleRetrieval(Tolerant):
    """What to take of all datasets together."""

    top_k: Annotated[int, BeforeValidator(lambda value: value or 4)] = Field(default=4, ge=1)
    score_threshold: float | None = None
    score_threshold_enabled: bool | None = None
    """None, in older exports: enabled where there is a threshold."""
    reranking_enable: bool | None = True
    reranking_mode: Text = "reranking_model"
    reranking_model: RerankingModel | None = None
    weights: Weights | None = None

    @property
    def threshold(self) -> float | None:
        """The least score that counts; None where there is no such bound."""
        return None if self.score_threshold_enabled is False else self.score_threshold

    @property
    def reranker(self) -> RerankingModel | None:
        """The model that puts the passages in order, if one is wanted and named."""
        model = self.reranking_model
        wanted = self.reranking_enable and self.reranking_mode != "weighted_score"
        return model if wanted and model and model.model else None


class SingleRetrieval(Tolerant):
    """The model that chooses one dataset."""

    model: ModelChoice = ModelChoice()


class MetadataCondition(Tolerant):
    """A condition on the metadata of a document; a text may have `{{#..#}}` in it."""

    name: str
    comparison_operator: Operator
    value: str | list[str] | int | float | None = None


class MetadataConditions(Tolerant):
    """Which documents to look at."""

    logical_operator: Annotated[Literal["and", "or"], BeforeValidator(lambda value: value or "and")] = "and"
    conditions: Annotated[list[MetadataCondition], _Lists] = Field(default_factory=list)


class KnowledgeRetrievalData(NodeData):
    """`data` of a knowledge-retrieval node."""

    query_variable_selector: Annotated[list[str], _Lists] = Field(default_factory=list)
    dataset_ids: Annotated[list[str], _Lists] = Field(default_factory=list)
    retrieval_mode: Literal["single", "multiple"] = "multiple"
    multiple_retrieval_config: MultipleRetrieval | None = None
    single_retrieval_config: SingleRetrieval | None = None
    metadata_filtering_mode: Annotated[
        Literal["disabled", "automatic", "manual"], BeforeValidator(lambda value: value or "disabled")
    ] = "disabled"
    metadata_model_config: ModelChoice | None = None
    metadata_filtering_conditions: MetadataConditions | None = None

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from of("query_variable_selector", self.query_variable_selector)
        for i, condition in enumerate(self._conditions()):
            values = condition.value if isinstance(condition.value, list) else [condition.value]
            for value in values:
                if isinstance(value, str):
                    yield from in_text(f"metadata_filtering_conditions.conditions.{i}.value", value)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        if not self.dataset_ids:
            yield "dataset_ids", "no dataset is chosen: the result is always empty"
        if len(self.query_variable_selector) < MIN_SELECTOR_LENGTH:
            yield "query_variable_selector", "no variable is chosen: the node fails when it is reached"

    def _conditions(self) -> list[MetadataCondition]:
        found = self.metadata_filtering_conditions
        return found.conditions if found and self.metadata_filtering_mode == "manual" else []
