"""MCP servers that an agent node brings along, as the agents of the plugin `mcp_see_agent` do."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError

from schemas.ids import content_id, entity_id
from schemas.models import ToolProvider
from streams.executors.agent.errors import AgentParameterError

_FIELD = "mcp_servers_config"
_TRANSPORTS: Mapping[str, Literal["sse", "streamable_http"]] = {
    "sse": "sse",
    "streamable_http": "streamable_http",
    "streamable-http": "streamable_http",
}
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


def inline_providers(config: Any, tenant_id: str) -> list[ToolProvider]:
    """One for each server of `{"name": {"url", "transport", "headers", "timeout"}}`, or of the same within
    `mcpServers`; `config` may be that as a text. Equal servers are one provider, whose session is shared.

    Raises `AgentParameterError`.
    """
    if config in (None, ""):
        return []
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except ValueError as wrong:
            raise AgentParameterError(f"{_FIELD} is no JSON: {wrong}") from wrong
    servers = config.get("mcpServers", config) if isinstance(config, Mapping) else None
    if not isinstance(servers, Mapping):
        raise AgentParameterError(f"{_FIELD} must be an object of servers by name")
    return [_provider(str(name), server, tenant_id) for name, server in servers.items()]


def _provider(name: str, server: Any, tenant_id: str) -> ToolProvider:
    if not isinstance(server, Mapping) or not server.get("url"):
        raise AgentParameterError(f"server {name!r} of {_FIELD} has no url")
    transport = _TRANSPORTS.get(str(server.get("transport") or "sse"))
    if transport is None:
        raise AgentParameterError(f"server {name!r} of {_FIELD}: transport is sse or streamable_http")
    try:
        return ToolProvider(
            id=entity_id("inline", tenant_id, content_id(server)),
            tenant_id=tenant_id,
            created_at=_ALWAYS,
            updated_at=_ALWAYS,
            name=name,
            kind="mcp",
            url=str(server["url"]),
            transport=transport,
            headers={str(key): str(value) for key, value in (server.get("headers") or {}).items()},
            timeout_s=server.get("timeout") or None,
        )
    except (ValidationError, AttributeError) as wrong:
        raise AgentParameterError(f"server {name!r} of {_FIELD}: {wrong}") from wrong
