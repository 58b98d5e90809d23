"""Finds the tools that nodes name, calls them, and keeps the files that they give."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.files import is_file
from schemas.models import ToolProvider
from schemas.models.tool_provider import ToolProviderKind
from streams.executors.catalog import Catalog
from streams.executors.errors import FileUnreadable
from streams.executors.files import Files
from streams.executors.tools.arguments import fit_arguments
from streams.executors.tools.errors import (
    ToolFileError,
    ToolNodeError,
    ToolRuntimeInvocationError,
    ToolRuntimeResolutionError,
)
from streams.executors.tools.providers import find_provider
from streams.executors.tools.reply import ToolCall, ToolReply, ToolSource, ToolSpec
from streams.executors.tools.settings import ToolSettings
from transport.masking import Secrets, concealed, secrets_in

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gave, its files stored."""

    text: str
    json: list[Any]
    files: list[dict[str, Any]]
    variables: Json
    sent: str


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of one tenant, ready to be called."""

    provider: ToolProvider
    credentials: Mapping[str, str]
    spec: ToolSpec
    tenant_id: str


class Toolbox:
    """Used by the nodes that call tools. Every method raises `ToolNodeError` and `NotConfigured`."""

    def __init__(
        self,
        catalog: Catalog,
        sources: Mapping[ToolProviderKind, ToolSource],
        files: Files,
        settings: ToolSettings,
    ) -> None:
        self._catalog = catalog
        self._sources = sources
        self._files = files
        self._settings = settings

    async def find(self, tenant_id: str, names: Sequence[str], tool: str) -> Tool:
        """The tool of the first provider that has one of the names, in full (`langgenius/google/google`) or
        by their last part. An MCP server is asked for what it has."""
        provider = find_provider(self._catalog, tenant_id, names)
        source = self._source(provider)
        credentials = self._catalog.credentials(provider)
        try:
            async with asyncio.timeout(self._timeout_s(provider)):
                found = await source.find(provider, credentials, tool)
        except (ToolNodeError, TimeoutError) as error:
            raise self._told(error, provider, credentials) from error
        return Tool(provider, credentials, found, tenant_id)

    async def all_of(self, provider: ToolProvider) -> list[Tool]:
        """Every tool of a provider, which need not be one that the tenant has configured."""
        credentials = self._catalog.credentials(provider)
        try:
            async with asyncio.timeout(self._timeout_s(provider)):
                found = await self._sources[provider.kind].all_of(provider, credentials)
        except (ToolNodeError, TimeoutError) as error:
            raise self._told(error, provider, credentials) from error
        return [Tool(provider, credentials, spec, provider.tenant_id) for spec in found]

    async def call(self, tool: Tool, given: Json, key: str) -> ToolOutput:
        """`key` is the same whenever this very call is made again: peers, and stored files, go by it."""
        try:
            arguments = fit_arguments(tool.spec.parameters, self._linked(tool, given))
            call = ToolCall(tool.provider, tool.credentials, tool.spec.name, arguments, key, tool.tenant_id)
            async with asyncio.timeout(self._timeout_s(tool.provider)):
                reply = await self._sources[tool.provider.kind].call(call)
        except (ToolNodeError, TimeoutError) as error:
            raise self._told(error, tool.provider, tool.credentials) from error
        return await self._kept(reply.without(_secrets_of(tool.credentials)), tool, key)

    async def _kept(self, reply: ToolReply, tool: Tool, key: str) -> ToolOutput:
        files = [
            await self._files.save_file(
                tool.tenant_id,
                blob.content,
                identity=f"{key}/{i}",
                filename=blob.filename,
                mime_type=blob.mime_type,
            )
            for i, blob in enumerate(reply.blobs)
        ]
        return ToolOutput(reply.text, list(reply.json), files, reply.variables, reply.sent)

    def _source(self, provider: ToolProvider) -> ToolSource:
        """Raises `ToolRuntimeResolutionError` for a workflow, whose end nothing here can wait for."""
        if provider.kind not in self._sources:
            raise ToolRuntimeResolutionError(
                f"tool provider {provider.name!r} is a workflow, which only a tool node can call"
            )
        return self._sources[provider.kind]

    def _linked(self, tool: Tool, given: Json) -> Json:
        """A file is sent to where a tool takes one, and given as its URL where it takes a text."""
        properties: Mapping[str, Json] = tool.spec.parameters.get("properties") or {}

        def linked(value: Any, wanted: Json) -> Any:
            if isinstance(value, list):
                return [linked(one, wanted.get("items") or {}) for one in value]
            if is_file(value) and wanted.get("type") == "string" and wanted.get("format") != "binary":
                return self._files.url_of(value, tool.tenant_id)
            return value

        try:
            return {name: linked(value, properties.get(name) or {}) for name, value in given.items()}
        except FileUnreadable as unreadable:
            raise ToolFileError(str(unreadable)) from unreadable

    def _timeout_s(self, provider: ToolProvider) -> float:
        return provider.timeout_s or self._settings.timeout_s

    def _told(
        self, error: Exception, provider: ToolProvider, credentials: Mapping[str, str]
    ) -> ToolNodeError:
        """The same error, without what is secret in its text."""
        if isinstance(error, TimeoutError):
            limit = self._timeout_s(provider)
            return ToolRuntimeInvocationError(f"{provider.name} did not answer within {limit:g} s")
        kind = type(error) if isinstance(error, ToolNodeError) else ToolRuntimeInvocationError
        told = kind(concealed(str(error), _secrets_of(credentials)))
        if isinstance(error, ToolNodeError):
            told.status_code, told.retry_after_s = error.status_code, error.retry_after_s
        return told


def _secrets_of(credentials: Mapping[str, str]) -> Secrets | None:
    """What is to be masked: all but the name of a user, and what the two are in basic authorization."""
    secrets = [value for name, value in credentials.items() if name != "username"]
    if "username" in credentials:
        pair = f"{credentials['username']}:{credentials.get('password', '')}"
        secrets.append(base64.b64encode(pair.encode()).decode())
    return secrets_in(secrets)
