"""Both kinds of dataset, searched the same way: through the retrieval API, of somebody else or our own."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from schemas.models.dataset import Dataset
from streams.executors.catalog import Catalog
from streams.executors.errors import NotConfigured
from streams.executors.knowledge.passages import Passage
from streams.executors.knowledge.retrieval_api import RetrievalApi, request_body
from streams.executors.knowledge.settings import KnowledgeSettings

_INDEX_PATH = "api/v1/knowledge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for, whichever the dataset."""

    query: str
    top_k: int | None = None
    """None: what the dataset says."""
    threshold: float | None = None
    condition: Mapping[str, Any] | None = None
    """On metadata: `logical_operator` and `conditions`."""
    vector_weight: float | None = None
    """In a hybrid search of an index; None: what the dataset says."""


class Sources:
    """The datasets of all tenants. Used on the loop's thread."""

    def __init__(
        self,
        catalog: Catalog,
        guarded: aiohttp.ClientSession,
        own: aiohttp.ClientSession,
        settings: KnowledgeSettings,
    ) -> None:
        """`guarded` reaches what tenants name, `own` the ingress that the operator has named."""
        self._catalog = catalog
        self._external = RetrievalApi(guarded, settings.timeout_s)
        self._index = RetrievalApi(own, settings.timeout_s)
        self._index_url = URL(settings.url).joinpath(_INDEX_PATH)

    def find(self, tenant_id: str, names: Sequence[str]) -> list[Dataset]:
        """By name, id or alias, each once. Raises `NotConfigured`, which names what is missing."""
        known = self._catalog.all_of(Dataset, tenant_id)
        found: dict[str, Dataset] = {}
        for name in names:
            dataset = next((one for one in known if one.is_called(name)), None)
            if dataset is None:
                there = ", ".join(sorted(one.name for one in known)) or "none"
                raise NotConfigured(
                    f"dataset {name!r} is not configured (there are: {there}); create it with"
                    f" `hopline dataset create NAME --alias {name}`"
                )
            found[dataset.id] = dataset
        return list(found.values())

    async def search(self, datasets: Sequence[Dataset], search: Search) -> list[Passage]:
        """What all of them find, one after the other. Raises `ExternalKnowledgeError`, `NotConfigured`."""
        found = await asyncio.gather(*(self._search(dataset, search) for dataset in datasets))
        return [passage for passages in found for passage in passages]

    async def _search(self, dataset: Dataset, search: Search) -> list[Passage]:
        top_k = search.top_k or dataset.retrieval.top_k
        threshold = dataset.retrieval.score_threshold if search.top_k is None else search.threshold
        external = dataset.kind == "external"
        knowledge_id = dataset.knowledge_id if external else dataset.id
        body = request_body(str(knowledge_id), search.query, top_k, threshold, search.condition)
        if external:
            key = self._catalog.credentials(dataset).get("api_key")
            return await self._external.retrieve(dataset, URL(str(dataset.endpoint)), key, body)
        if search.vector_weight is not None:
            body["retrieval_setting"]["vector_weight"] = search.vector_weight
        token = self._catalog.service_token(dataset.tenant_id, time.time())
        return await self._index.retrieve(dataset, self._index_url, token, body)
