"""`/api/v1/plugins`: what can be subscribed to, and what that takes."""

from typing import Any

from aiohttp import web

from ingress.operation import Operation
from ingress.responses import json_answer
from ingress.wire import Answer
from schemas.plugins.contract import TriggerPlugin
from schemas.plugins.credentials import CredentialType
from schemas.plugins.registry import plugins


class PluginView(Answer):
    """A plugin that is installed."""

    provider: str
    """Its provider_id."""
    description: str
    parameters: dict[str, Any]
    """JSON Schema."""
    credential_types: list[CredentialType]
    credentials: dict[str, Any] | None
    """JSON Schema of an API key; null where it takes none."""
    event_parameters: dict[str, Any]
    """JSON Schema of the filters that a trigger may set."""
    scopes: list[str]
    """Of OAuth, where a client says nothing else."""


class PluginList(Answer):
    """By provider_id."""

    data: list[PluginView]


async def list_plugins(_request: web.Request) -> web.Response:
    """What can be subscribed to, and what that takes."""
    return json_answer(PluginList(data=[_plugin_view(one) for one in plugins().values()]))


def _plugin_view(plugin: TriggerPlugin) -> PluginView:
    kinds = [CredentialType.API_KEY] if plugin.Keys else []
    kinds += [CredentialType.OAUTH] if plugin.oauth else []
    return PluginView(
        provider=plugin.provider_id,
        description=plugin.description,
        parameters=plugin.Parameters.model_json_schema(),
        credential_types=kinds,
        credentials=plugin.Keys.model_json_schema() if plugin.Keys else None,
        event_parameters=plugin.Filters.model_json_schema(),
        scopes=list(plugin.oauth.scopes) if plugin.oauth else [],
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/plugins",
        handler=list_plugins,
        summary="List the plugins that are installed",
        tag="subscriptions",
        answer=PluginList,
    ),
)
