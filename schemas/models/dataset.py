"""What knowledge-retrieval nodes look things up in: an external knowledge API, or an index of documents."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.models.provider import Provider

DatasetKind = Literal["index", "external"]
SearchMethod = Literal["full_text_search", "semantic_search", "hybrid_search"]


class Chunking(BaseModel):
    """How the text of a document is cut; defaults are Dify's."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_chars: int = Field(default=1024, ge=50, le=16_000)
    """Of a chunk."""
    overlap_chars: int = Field(default=50, ge=0)
    """What a chunk repeats of the one before it."""
    separators: tuple[str, ...] = ("\n\n", "\n", "。", ". ", " ")
    """Where to cut, best first; what none of them makes small enough is cut anywhere."""

    @model_validator(mode="after")
    def _overlaps_by_less_than_it_holds(self) -> Self:
        if self.overlap_chars >= self.max_chars:
            raise ValueError("overlap_chars must be less than max_chars")
        return self


class Embedding(BaseModel):
    """The model that makes vectors of texts, behind `/embeddings` of a model provider."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    provider: str = Field(min_length=1)
    """Name of the model provider."""
    model: str = Field(min_length=1)
    dimensions: int | None = Field(default=None, ge=1, le=8192)
    """Asked for where the model offers several."""
    batch_size: int = Field(default=32, ge=1, le=2048)
    """Texts in one request."""

    @property
    def identity(self) -> str:
        """What vectors must have in common to be compared."""
        return f"{self.provider}/{self.model}" + (f"/{self.dimensions}" if self.dimensions else "")


class Retrieval(BaseModel):
    """How an index is searched where the node says nothing about it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    search_method: SearchMethod | None = None
    """None: hybrid where there is an embedding, else full text."""
    top_k: int = Field(default=4, ge=1, le=100)
    score_threshold: float | None = Field(default=None, ge=0, le=1)
    vector_weight: float = Field(default=0.7, ge=0, le=1)
    """Of the vectors' score in a hybrid search; the rest is that of the full text."""


class DatasetSource(BaseModel):
    """What the two kinds are made of."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: DatasetKind = "index"
    description: str = ""
    """What a model that chooses among datasets is told."""
    aliases: tuple[str, ...] = ()
    """Other names: the dataset ids in workflows that were exported elsewhere."""
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^/]+")
    """`external`: `/retrieval` is added to it."""
    knowledge_id: str | None = None
    """`external`: what that API calls the dataset."""
    metadata_fields: tuple[str, ...] = ()
    """Metadata of its documents that a model may put conditions on, in nodes that filter automatically."""
    chunking: Chunking = Chunking()
    embedding: Embedding | None = None
    """`index`: None for full text only. Documents are to be added again when it changes."""
    retrieval: Retrieval = Retrieval()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "external" and not (self.endpoint and self.knowledge_id):
            raise ValueError("an external dataset needs endpoint and knowledge_id")
        if self.kind == "index" and (self.endpoint or self.knowledge_id):
            raise ValueError("an index takes no endpoint and no knowledge_id")
        method = self.retrieval.search_method
        if self.kind == "index" and self.embedding is None and method not in (None, "full_text_search"):
            raise ValueError(f"retrieval.search_method {method} needs an embedding")
        return self

    @property
    def search_method(self) -> SearchMethod:
        """The one that counts."""
        return self.retrieval.search_method or ("hybrid_search" if self.embedding else "full_text_search")


class Dataset(DatasetSource, Provider):
    """Found by its name or an alias. The credential of an external one is `api_key`."""

    def is_called(self, name: str) -> bool:
        """Whether a node that gives `name` among its `dataset_ids` means this one."""
        return name in (self.name, self.id, *self.aliases)
