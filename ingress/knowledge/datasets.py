"""`/api/v1/datasets`: what knowledge-retrieval nodes look things up in."""

from dataclasses import replace
from typing import Self

from aiohttp import web
from pydantic import model_validator

from ingress.auth import CALLER
from ingress.errors import Conflict, NotFound
from ingress.keys import CLICKHOUSE, FEED
from ingress.knowledge.records import documents_of, queue_deletion
from ingress.resources import ProviderBody, ProviderView, Resource
from ingress.wire import Answer
from schemas.models import Dataset
from schemas.models.dataset import Chunking, DatasetKind, DatasetSource, Embedding, Retrieval

PATH = "/api/v1/datasets"
TAG = "datasets"


class DatasetBody(DatasetSource, ProviderBody):
    """A dataset to be created or replaced."""

    @model_validator(mode="after")
    def _has_no_other_credential(self) -> Self:
        known = {"api_key"} if self.kind == "external" else set()
        if set(self.credentials) - known:
            raise ValueError("an external dataset takes the credential api_key, an index takes none")
        return self


class DatasetView(ProviderView):
    """A dataset as it is shown."""

    kind: DatasetKind
    description: str
    aliases: tuple[str, ...]
    endpoint: str | None
    knowledge_id: str | None
    metadata_fields: tuple[str, ...]
    chunking: Chunking
    embedding: Embedding | None
    retrieval: Retrieval


class DatasetList(Answer):
    """The tenant's."""

    data: list[DatasetView]


RESOURCE = Resource(
    topic="definitions.datasets",
    entity=Dataset,
    body=DatasetBody,
    view=DatasetView,
    listing=DatasetList,
    path=PATH,
    tag=TAG,
    told=lambda dataset: (dataset.endpoint,),
)


def dataset_of(request: web.Request, name: str) -> Dataset:
    """By name, id or alias, within the caller's tenant. Raises `NotFound`, in the words of the external
    knowledge API as well."""
    known = request.app[FEED].definitions.providers(Dataset, request[CALLER].tenant_id)
    found = next((one for one in known if one.is_called(name)), None)
    if found is None:
        why = f"no dataset has the name {name!r}; GET {PATH} lists them"
        raise NotFound(why, error_code=2001, error_msg=why)
    return found


def index_of(request: web.Request, name: str) -> Dataset:
    """`dataset_of`, if it has documents here. Raises `Conflict` for an external one."""
    dataset = dataset_of(request, name)
    if dataset.kind != "index":
        raise Conflict(f"dataset {dataset.name!r} is external: its documents are where its endpoint is")
    return dataset


async def delete(request: web.Request) -> web.StreamResponse:
    """The documents first, so that their chunks are cleared away: nobody could name them afterwards."""
    dataset = dataset_of(request, request.match_info["name"])
    clickhouse = request.app[CLICKHOUSE]
    if dataset.kind == "index" and clickhouse is not None:
        await queue_deletion(request, dataset, await documents_of(clickhouse, dataset))
    return await RESOURCE.delete(request)


OPERATIONS = tuple(
    replace(operation, handler=delete) if operation.method == "DELETE" else operation
    for operation in RESOURCE.operations()
)
