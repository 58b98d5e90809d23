"""`/api/v1/files`: uploading what runs are given, and downloading what they made; `/files`: signed links."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from ingress.auth import CALLER
from ingress.errors import Malformed, NotFound, TooLarge, UnsupportedMediaType, too_slow
from ingress.keys import BUDGET, FILES, SETTINGS
from ingress.operation import Operation, Query
from ingress.responses import json_answer
from ingress.wire import Answer
from schemas.ids import now_us
from schemas.media import MULTIPART
from transport.errors import ObjectMissing, ObjectTooLarge
from transport.files import StoredFile, describe
from transport.storage import STREAM_BYTES

_PATH = "/api/v1/files"

_NO_FORM = (AssertionError, HttpProcessingError, RuntimeError, ValueError, web.RequestPayloadError)
"""What aiohttp raises for it."""


class Uploaded(Answer):
    """A file that is stored, by the names of Dify's upload."""

    id: str
    """`upload_file_id` of an input."""
    name: str
    size: int
    extension: str
    """Without its dot."""
    mime_type: str
    created_by: str | None
    created_at: int
    """Unix seconds."""
    file: dict[str, Any]
    """The file as an input of a run."""


async def upload(request: web.Request) -> web.Response:
    """The part `file` of a form, as long as its kind may be (HOPLINE_UPLOAD_*)."""
    if request.content_type != MULTIPART:
        raise UnsupportedMediaType(f"{request.content_type} is not taken here; send {MULTIPART}")
    size = request.content_length
    request.app[BUDGET].take(request, STREAM_BYTES if size is None else min(size, STREAM_BYTES))
    try:
        part = await _file_part(request)
        stored = await _store(request, part)
    except _NO_FORM as wrong:
        raise Malformed(f"the body is not a multipart form: {wrong}") from wrong
    value = request.app[FILES].value(stored, "local_file", _origin(request))
    answer = Uploaded(
        id=stored.id,
        name=stored.filename,
        size=stored.size,
        extension=stored.extension.removeprefix("."),
        mime_type=stored.mime_type,
        created_by=stored.created_by,
        created_at=stored.created_at // 1_000_000,
        file=value,
    )
    return json_answer(answer, 201, {"Location": f"{_PATH}/{stored.id}"})


async def download(request: web.Request) -> web.StreamResponse:
    """The bytes of a file of the caller's tenant."""
    return await _send(request, request[CALLER].tenant_id, request.match_info["file_id"])


async def follow(request: web.Request) -> web.StreamResponse:
    """The bytes, for whoever has a link that this deployment has signed and whose time is not over."""
    query, file_id = request.query, request.match_info["file_id"]
    tenant_id = query.get("tenant", "")
    links = request.app[FILES].links
    if not links.is_good(tenant_id, file_id, query.get("expires", ""), query.get("sign", "")):
        raise NotFound("the link is not one of this deployment, or its time is over")
    return await _send(request, tenant_id, file_id)


async def _file_part(request: web.Request) -> BodyPartReader:
    timeout_s = request.app[SETTINGS].body_timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            async for part in await request.multipart():
                if isinstance(part, BodyPartReader) and part.name == "file" and part.filename:
                    return part
    except TimeoutError as slow:
        raise too_slow(timeout_s) from slow
    raise Malformed("the form has no part `file` with a filename")


async def _store(request: web.Request, part: BodyPartReader) -> StoredFile:
    caller = request[CALLER]
    name, mime_type = describe(part.filename, part.headers.get("Content-Type"))
    file = StoredFile(
        # Unlike `new_id`, not to be guessed: whoever starts a run may name any file of the tenant.
        id=str(uuid.uuid4()),
        tenant_id=caller.tenant_id,
        filename=name,
        mime_type=mime_type,
        size=0,
        created_at=now_us(),
        created_by=caller.name,
    )
    most = request.app[SETTINGS].upload_limit(file.type)
    try:
        return await request.app[FILES].save_stream(file, _chunks(request, part), most)
    except ObjectTooLarge as large:
        raise TooLarge(f"a file of type {file.type} has at most {most} bytes (HOPLINE_UPLOAD_*)") from large


async def _chunks(request: web.Request, part: BodyPartReader) -> AsyncIterator[bytes]:
    """As much of it as other bodies may have has their time, whatever the storage takes."""
    timeout_s, loop = request.app[SETTINGS].body_timeout_s, asyncio.get_running_loop()
    left_s, left_bytes = timeout_s, request.client_max_size
    while True:
        began_at = loop.time()
        try:
            async with asyncio.timeout(left_s):
                chunk = await part.read_chunk(256 * 1024)
        except TimeoutError as slow:
            raise too_slow(timeout_s) from slow
        if not chunk:
            return
        left_s, left_bytes = left_s - (loop.time() - began_at), left_bytes - len(chunk)
        if left_bytes <= 0:
            left_s, left_bytes = timeout_s, request.client_max_size
        yield bytes(chunk)


async def _send(request: web.Request, tenant_id: str, file_id: str) -> web.StreamResponse:
    files = request.app[FILES]
    try:
        file = await files.find(tenant_id, file_id)
        chunks = files.stream(file)
        first = await anext(chunks, b"")
    except ObjectMissing as missing:
        raise NotFound(f"no file has the id {file_id}") from missing
    response = web.StreamResponse(headers=_headers(file))
    response.content_length = file.size
    await response.prepare(request)
    await response.write(first)
    async for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()
    return response


def _headers(file: StoredFile) -> dict[str, str]:
    """A stored page must never run as one of ours: it is a download, and is what it says."""
    return {
        "Content-Type": file.mime_type if file.mime_type.isprintable() else "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


OPERATIONS = (
    Operation(
        method="POST",
        path=_PATH,
        permission="run",
        handler=upload,
        summary="Upload a file",
        tag="files",
        body=MULTIPART,
        answer=Uploaded,
        status=201,
        errors=(400, 413, 415),
    ),
    Operation(
        method="GET",
        path=_PATH + "/{file_id}",
        handler=download,
        summary="Download a file",
        tag="files",
        answer="application/octet-stream",
        errors=(404,),
    ),
    Operation(
        method="GET",
        path="/files/{file_id}",
        handler=follow,
        summary="Follow a link to a file",
        tag="files",
        answer="application/octet-stream",
        query=(
            Query("tenant", "as in the link"),
            Query("expires", "as in the link", "integer"),
            Query("sign", "as in the link"),
        ),
        errors=(404,),
        public=True,
    ),
)
