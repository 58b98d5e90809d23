"""MCP servers as sources of tools, through the official library."""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import httpx2
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    RequestParamsMeta,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic import ValidationError
from yarl import URL

from schemas.models import ToolProvider
from streams.executors.settings import HttpSettings
from streams.executors.tools.errors import (
    ToolFileError,
    ToolNodeError,
    ToolRuntimeInvocationError,
    ToolRuntimeResolutionError,
    ToolSSRFError,
)
from streams.executors.tools.http_build import credentials_of
from streams.executors.tools.mcp_pool import McpPool
from streams.executors.tools.mcp_session import McpSession
from streams.executors.tools.mcp_transport import GuardedTransport
from streams.executors.tools.reply import Blob, ToolCall, ToolReply, ToolSpec
from streams.executors.tools.settings import ToolSettings

KEY = "hopline/idempotency-key"
"""In `_meta` of a call: the same when it is made again after a crash."""

_ENDED = "Session terminated"
"""How the library words a 404 to a request within a session: the server has forgotten it, and did nothing."""


class McpTools:
    """A `ToolSource`."""

    def __init__(
        self, session: aiohttp.ClientSession, pool: McpPool, http: HttpSettings, settings: ToolSettings
    ) -> None:
        """The session is a guard's. It and the pool belong to the caller."""
        self._http_session = session
        self._pool = pool
        self._http = http
        self._settings = settings

    async def find(self, provider: ToolProvider, credentials: Mapping[str, str], tool: str) -> ToolSpec:
        """See `ToolSource.find`. Asks the server where nothing is known of its tools, or not of this one."""
        async with self._session(provider, credentials) as session:
            tools = await session.tools(self._settings.session_idle_s)
            if tool not in tools:
                tools = await session.tools(0)
        if tool not in tools:
            raise ToolRuntimeResolutionError.no_such_tool(provider.name, tool, tools)
        return tools[tool]

    async def all_of(self, provider: ToolProvider, credentials: Mapping[str, str]) -> Sequence[ToolSpec]:
        """See `ToolSource.all_of`."""
        async with self._session(provider, credentials) as session:
            return list((await session.tools(self._settings.session_idle_s)).values())

    async def call(self, call: ToolCall) -> ToolReply:
        """See `ToolSource.call`. What the server marks as an error is a failure.

        As in Dify, an empty text is an argument that was not given.
        """
        given = {name: value for name, value in call.arguments.items() if str(value).strip() != ""}
        sent = json.dumps({"tool": call.tool, "arguments": given}, ensure_ascii=False)
        try:
            result = await self._once(call, given)
        except _SessionEnded:
            result = await self._once(call, given)
        reply = self._reply(result, sent)
        if result.is_error:
            raise ToolRuntimeInvocationError(reply.text or f"{call.tool} failed, and does not say why")
        return reply

    async def _once(self, call: ToolCall, arguments: dict[str, Any]) -> CallToolResult:
        async with self._session(call.provider, call.credentials) as session:
            client = await session.client()
            return await client.call_tool(call.tool, arguments, meta=cast(RequestParamsMeta, {KEY: call.key}))

    @asynccontextmanager
    async def _session(
        self, provider: ToolProvider, credentials: Mapping[str, str]
    ) -> AsyncIterator[McpSession]:
        """Raises `ToolNodeError` for all that goes wrong inside."""
        key = (provider.id, provider.updated_at)
        async with self._pool.session(key, self._new(provider, credentials)) as session:
            try:
                yield session
            except MCPError as error:
                if error.message == _ENDED:
                    self._pool.discard(key, session)
                    raise _SessionEnded(f"{provider.name} has ended the session") from error
                if error.code == CONNECTION_CLOSED:
                    self._pool.discard(key, session)
                    raise self._failure(
                        provider, session, session.transport.failure or error.message
                    ) from error
                raise self._failure(provider, session, error.message) from error
            except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError, ValidationError, ValueError) as error:
                reason = session.transport.failure or str(error) or type(error).__name__
                raise self._failure(provider, session, reason) from error

    def _new(self, provider: ToolProvider, credentials: Mapping[str, str]) -> Callable[[], McpSession]:
        most = max(self._http.max_text_bytes, self._http.max_binary_bytes)
        on_the_wire = most * 4 // 3 + 65_536  # files travel in base64
        return lambda: McpSession(
            provider,
            GuardedTransport(
                self._http_session,
                URL(provider.url or ""),
                credentials_of(provider.auth, credentials),
                on_the_wire,
            ),
            connect_timeout_s=self._http.max_connect_timeout_s,
            timeout_s=provider.timeout_s or self._settings.timeout_s,
            max_event_bytes=on_the_wire,
        )

    def _failure(self, provider: ToolProvider, session: McpSession, reason: str) -> ToolNodeError:
        kind = ToolSSRFError if session.transport.refused else ToolRuntimeInvocationError
        return kind(f"{provider.name}: {reason}")

    def _reply(self, result: CallToolResult, sent: str) -> ToolReply:
        """As Dify sorts content: a text that is JSON is a value and no text, structured content variables."""
        texts: list[str] = []
        values: list[Any] = []
        blobs: list[Blob] = []
        for content in result.content:
            match content:
                case TextContent():
                    text, found = _read_text(content.text)
                    texts.append(text)
                    values += found
                case ImageContent() | AudioContent():
                    blobs.append(self._blob(content.data, content.mime_type))
                case EmbeddedResource(resource=BlobResourceContents() as resource):
                    kind = resource.mime_type or "application/octet-stream"
                    blobs.append(self._blob(resource.blob, kind, str(resource.uri).rsplit("/", 1)[-1]))
                case EmbeddedResource(resource=TextResourceContents() as resource):
                    texts.append(resource.text)
                case ResourceLink():
                    texts.append(f"{content.uri}\n")
        structured = result.structured_content
        variables = structured if isinstance(structured, dict) else {}
        text = "".join(texts)
        if len(text) > self._http.max_text_bytes:
            raise ToolRuntimeInvocationError(
                f"the reply is longer than {self._http.max_text_bytes} characters"
            )
        return ToolReply(text, tuple(values), tuple(blobs), variables, sent)

    def _blob(self, data: str, mime_type: str, filename: str | None = None) -> Blob:
        try:
            content = base64.b64decode(data, validate=True)
        except binascii.Error as wrong:
            raise ToolFileError(f"a file of type {mime_type} is no base64: {wrong}") from wrong
        if len(content) > self._http.max_binary_bytes:
            raise ToolFileError(f"a file has more than {self._http.max_binary_bytes} bytes")
        return Blob(content, mime_type, filename)


@asynccontextmanager
async def open_mcp(
    session: aiohttp.ClientSession, http: HttpSettings, settings: ToolSettings
) -> AsyncIterator[McpTools]:
    """`session` is a guard's. Sessions with MCP servers end with the block."""
    async with McpPool(settings.session_idle_s) as pool:
        yield McpTools(session, pool, http, settings)


class _SessionEnded(ToolRuntimeInvocationError):
    """Nothing was done: the call may be made again in a new session."""


def _read_text(text: str) -> tuple[str, list[Any]]:
    """A text and the JSON values of one content."""
    stripped = text.strip()
    if stripped[:1] + stripped[-1:] in ("{}", "[]"):
        try:
            value = json.loads(stripped)
        except ValueError:
            return text, []
        if isinstance(value, dict):
            return "", [value] if value else []
        if all(isinstance(one, dict) for one in value):
            return "", [one for one in value if one]
        return str(value), []
    return text, []
