"""`/api/v1/datasets/{name}/documents`: what an index is filled with. Workers do the work, a moment later."""

import uuid
from typing import Any, Self
from urllib.parse import quote

import orjson
from aiohttp import web
from pydantic import Field, model_validator

from ingress.auth import CALLER
from ingress.errors import NotFound, Unavailable
from ingress.keys import CLICKHOUSE, FILES
from ingress.knowledge.datasets import PATH, TAG, index_of
from ingress.knowledge.records import documents_of, next_version, queue, queue_deletion
from ingress.operation import Operation
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody
from schemas.ids import entity_id, now_us
from schemas.models import Dataset
from transport.clickhouse import ClickHouse
from transport.errors import ObjectMissing
from transport.files import StoredFile, describe

_DOCUMENTS = PATH + "/{name}/documents"
_NO_INDEX_RETRY_S = 60


class DocumentBody(RequestBody):
    """A document to be added. One of the same name in the dataset is replaced, once this one is complete."""

    file_id: str | None = None
    """Of a file that was uploaded (POST /api/v1/files)."""
    text: str | None = None
    """The document itself, instead of a file."""
    name: str | None = Field(default=None, min_length=1, max_length=500)
    """None: that of the file. With `text`, its extension tells the format: without one it is plain text."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """What searches can be limited by."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.file_id is None) == (self.text is None):
            raise ValueError("give either file_id or text")
        if self.text is not None and self.name is None:
            raise ValueError("a text needs a name")
        return self


class DocumentView(Answer):
    """A document as it is now, or soon."""

    id: str
    version: int
    """Microseconds; a document that is added again gets a higher one."""
    status: str
    """QUEUED, then COMPLETED or FAILED. A version that is not COMPLETED leaves the one before it in force."""
    name: str
    metadata: dict[str, Any]
    error: str | None = None
    chunk_count: int = 0
    character_count: int = 0
    file_id: str | None = None
    extension: str = ""
    mime_type: str = ""
    created_by: str | None = None
    created_at: str | None = None
    finished_at: str | None = None


class DocumentList(Answer):
    """Of a dataset, by name."""

    data: list[DocumentView]


class DocumentQueued(Answer):
    """A document that workers will take up."""

    id: str
    version: int
    name: str
    status: str


async def add(request: web.Request) -> web.Response:
    """202 once the broker has it."""
    dataset = index_of(request, request.match_info["name"])
    wanted = await read_model(request, DocumentBody)
    file = await _file(request, wanted)
    name = wanted.name or file.filename
    document_id = entity_id("document", dataset.id, name)
    version = await next_version(request.app[CLICKHOUSE], dataset, document_id)
    document = {
        "id": document_id,
        "version": version,
        "status": "QUEUED",
        "name": name,
        "file_id": file.id,
        "extension": file.extension,
        "mime_type": file.mime_type,
        "metadata": orjson.dumps(wanted.metadata).decode(),
    }
    await queue(request, dataset, [document])
    queued = DocumentQueued(id=document_id, version=version, name=name, status="QUEUED")
    place = f"{PATH}/{quote(dataset.name, safe='')}/documents/{queued.id}"
    return json_answer(queued, 202, {"Location": place})


async def list_all(request: web.Request) -> web.Response:
    """As far as they have been written, by name."""
    dataset = index_of(request, request.match_info["name"])
    found = await documents_of(clickhouse_of(request), dataset)
    return json_answer(DocumentList(data=[DocumentView.model_validate(one) for one in found]))


async def show(request: web.Request) -> web.Response:
    """One of them."""
    dataset = index_of(request, request.match_info["name"])
    return json_answer(DocumentView.model_validate(await _one(request, dataset)))


async def delete(request: web.Request) -> web.Response:
    """204: nothing of it is found any more as soon as the deletion has been written."""
    dataset = index_of(request, request.match_info["name"])
    await queue_deletion(request, dataset, [await _one(request, dataset)])
    return web.Response(status=204)


def clickhouse_of(request: web.Request) -> ClickHouse:
    """Where the index is. Raises `Unavailable` where the deployment has none."""
    clickhouse = request.app[CLICKHOUSE]
    if clickhouse is None:
        raise Unavailable(
            "this ingress has no index; its operator must set HOPLINE_CLICKHOUSE", _NO_INDEX_RETRY_S
        )
    return clickhouse


async def _one(request: web.Request, dataset: Dataset) -> dict[str, Any]:
    document_id = request.match_info["document_id"]
    found = await documents_of(clickhouse_of(request), dataset, document_id)
    if not found:
        raise NotFound(f"dataset {dataset.name!r} has no document {document_id!r}")
    return found[0]


async def _file(request: web.Request, wanted: DocumentBody) -> StoredFile:
    """The uploaded one, else the text as one."""
    caller, files = request[CALLER], request.app[FILES]
    if wanted.file_id is not None:
        try:
            return await files.find(caller.tenant_id, wanted.file_id)
        except ObjectMissing as missing:
            raise NotFound(f"no file has the id {wanted.file_id!r}") from missing
    content = (wanted.text or "").encode()
    name, mime_type = describe(wanted.name, None)
    if "." not in name:
        name, mime_type = f"{name}.txt", "text/plain"
    file = StoredFile(
        id=str(uuid.uuid4()),
        tenant_id=caller.tenant_id,
        filename=name,
        mime_type=mime_type,
        size=len(content),
        created_at=now_us(),
        created_by=caller.name,
    )
    await files.save(file, content)
    return file


OPERATIONS = (
    Operation(
        method="POST",
        path=_DOCUMENTS,
        handler=add,
        summary="Add a document to an index",
        tag=TAG,
        body=DocumentBody,
        answer=DocumentQueued,
        status=202,
        errors=(400, 404, 409, 422),
    ),
    Operation(
        method="GET",
        path=_DOCUMENTS,
        handler=list_all,
        summary="List the documents of an index",
        tag=TAG,
        answer=DocumentList,
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path=_DOCUMENTS + "/{document_id}",
        handler=show,
        summary="Show a document",
        tag=TAG,
        answer=DocumentView,
        errors=(404, 409),
    ),
    Operation(
        method="DELETE",
        path=_DOCUMENTS + "/{document_id}",
        handler=delete,
        summary="Delete a document",
        tag=TAG,
        status=204,
        errors=(404, 409),
    ),
)
