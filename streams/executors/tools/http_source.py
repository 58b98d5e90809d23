"""HTTP APIs as sources of tools: one request a call, through the egress guard."""

import asyncio
import email.message
import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from schemas.models import ToolProvider
from schemas.openapi import HttpTool
from streams.executors.errors import FileUnreadable
from streams.executors.files import Files
from streams.executors.http_errors import ResponseSizeError
from streams.executors.http_response import ReadResponse, read_response
from streams.executors.settings import HttpSettings
from streams.executors.tools.errors import (
    ToolFileError,
    ToolNodeError,
    ToolRuntimeInvocationError,
    ToolRuntimeResolutionError,
    ToolSSRFError,
)
from streams.executors.tools.http_body import encode_body
from streams.executors.tools.http_build import ToolRequest, body_fields, build_request, credentials_of
from streams.executors.tools.reply import Blob, ToolCall, ToolReply, ToolSpec
from transport.egress import EgressRefused
from transport.guarded_session import EgressGuard, withhold
from transport.masking import MASK
from transport.retry_after import retry_after_s

_MAX_REDIRECTS = 10
_SHOWN_CHARS = 10_000


class HttpTools:
    """A `ToolSource`. The session is the guard's and belongs to the caller, as do the files."""

    def __init__(
        self, session: aiohttp.ClientSession, guard: EgressGuard, files: Files, settings: HttpSettings
    ) -> None:
        self._session = session
        self._guard = guard
        self._files = files
        self._settings = settings

    async def find(self, provider: ToolProvider, credentials: Mapping[str, str], tool: str) -> ToolSpec:
        """See `ToolSource.find`. Sends nothing. The document is read once, off the loop: it may be large."""
        tools = (await asyncio.to_thread(lambda: provider.api)).tools
        if tool not in tools:
            raise ToolRuntimeResolutionError.no_such_tool(provider.name, tool, tools)
        found = tools[tool]
        return ToolSpec(found.name, found.description, found.arguments())

    async def all_of(self, provider: ToolProvider, credentials: Mapping[str, str]) -> Sequence[ToolSpec]:
        """See `ToolSource.all_of`."""

        def described() -> list[ToolSpec]:
            tools = provider.api.tools.values()
            return [ToolSpec(tool.name, tool.description, tool.arguments()) for tool in tools]

        return await asyncio.to_thread(described)

    async def call(self, call: ToolCall) -> ToolReply:
        """See `ToolSource.call`. A status of 400 and above is a failure."""
        tool = call.provider.api.tools[call.tool]
        credentials = credentials_of(call.provider.auth, call.credentials)
        request = build_request(tool, call.arguments, credentials, call.provider.headers)
        body, content_type = await self._body(tool, call)
        headers = _headers(request, content_type, call.key)
        response = await self._send(request, headers, body)
        if response.status >= 400:
            said = response.text[:_SHOWN_CHARS]
            error = ToolRuntimeInvocationError(f"{call.tool} answered with status {response.status}: {said}")
            error.status_code = response.status
            error.retry_after_s = retry_after_s(response.headers)
            raise error
        return _reply(response, _shown(request, headers, body))

    async def _body(self, tool: HttpTool, call: ToolCall) -> tuple[bytes, str | None]:
        fields = body_fields(tool, call.arguments)
        if tool.body is None or fields is None:
            return b"", None

        async def read(file: Mapping[str, Any]) -> bytes:
            return await self._files.read_file(file, call.tenant_id)

        try:
            return await encode_body(tool.body, fields, read, f"hopline-{call.key.replace('/', '-')}")
        except FileUnreadable as unreadable:
            raise ToolFileError(str(unreadable)) from unreadable

    async def _send(self, request: ToolRequest, headers: Mapping[str, str], body: bytes) -> ReadResponse:
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=headers,
                data=body or None,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._settings.max_connect_timeout_s),
                max_redirects=_MAX_REDIRECTS,
                middlewares=(self._guard.middleware, withhold(request.url, request.secret_headers)),
            ) as response:
                return await read_response(response, self._settings)
        except EgressRefused as refused:
            raise ToolSSRFError(str(refused)) from refused
        except ResponseSizeError as large:
            raise ToolRuntimeInvocationError(str(large)) from large
        except aiohttp.TooManyRedirects as error:
            raise ToolRuntimeInvocationError(f"more than {_MAX_REDIRECTS} redirects") from error
        except ToolNodeError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ToolRuntimeInvocationError(str(error) or type(error).__name__) from error


def _headers(request: ToolRequest, content_type: str | None, key: str) -> dict[str, str]:
    headers = dict(request.headers)
    present = {name.lower() for name in headers}
    if content_type and "content-type" not in present:
        headers["Content-Type"] = content_type
    if "idempotency-key" not in present:
        headers["Idempotency-Key"] = key
    return headers


def _reply(response: ReadResponse, sent: str) -> ToolReply:
    """JSON is there twice, as a value and as the text that came: nodes of Dify read either."""
    if response.is_file and response.content:
        kind = response.content_type.partition(";")[0].strip() or "application/octet-stream"
        return ToolReply(blobs=(Blob(response.content, kind, _filename(response)),), sent=sent)
    found: tuple[Any, ...] = ()
    if "json" in response.content_type.lower():
        try:
            value = json.loads(response.content)
            found = (value,) if isinstance(value, dict | list) and value else ()
        except ValueError:
            pass
    return ToolReply(text=response.text, json=found, sent=sent)


def _filename(response: ReadResponse) -> str | None:
    message = email.message.Message()
    message["content-disposition"] = response.headers.get("content-disposition", "")
    return message.get_filename()


def _shown(request: ToolRequest, headers: Mapping[str, str], body: bytes) -> str:
    """The request as text for the reader of the run, without the credentials."""
    lines = [f"{request.method} {request.url}"]
    lines += [
        f"{name}: {MASK if name.lower() in request.secret_headers else value}"
        for name, value in headers.items()
    ]
    text = body.decode("utf-8", "replace")
    if len(text) > _SHOWN_CHARS:
        text = f"{text[:_SHOWN_CHARS]}… ({len(body)} bytes)"
    return "\n".join([*lines, "", text]).rstrip()
