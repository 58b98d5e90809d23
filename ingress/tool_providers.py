"""`/api/v1/tool-providers`: HTTP APIs, MCP servers and workflows whose tools nodes may call."""

import asyncio
from typing import Any, Self

from aiohttp import web
from pydantic import model_validator

from ingress.errors import Conflict
from ingress.keys import FEED
from ingress.operation import Operation
from ingress.resources import ProviderBody, ProviderView, Resource
from ingress.responses import json_answer
from ingress.wire import Answer
from schemas.form_schema import form_schema
from schemas.models import ToolProvider
from schemas.models.tool_provider import CREDENTIALS, ToolAuth, ToolProviderKind, ToolSource
from schemas.nodes.start import InputVariable
from schemas.openapi import read_api

_PATH = "/api/v1/tool-providers"
_TAG = "tool-providers"


class ToolProviderBody(ToolSource, ProviderBody):
    """A provider to be created or replaced. Its document is checked: every problem is named."""

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        if self.document is not None:
            read_api(self.document, self.server_url)
        return self

    @model_validator(mode="after")
    def _has_its_credentials(self) -> Self:
        wanted = CREDENTIALS[self.auth.type]
        if set(wanted) != set(self.credentials):
            names = ", ".join(wanted) or "none"
            raise ValueError(f"auth of type {self.auth.type} takes these credentials: {names}")
        return self


class ToolProviderView(ProviderView):
    """A provider as it is shown; its document is at `…/document`, what it offers at `…/tools`."""

    kind: ToolProviderKind
    description: str
    server_url: str | None
    url: str | None
    transport: str
    workflow_id: str | None
    headers: dict[str, str]
    auth: ToolAuth
    timeout_s: float | None


class ToolProviderList(Answer):
    """The tenant's."""

    data: list[ToolProviderView]


class ToolView(Answer):
    """One tool."""

    name: str
    """What nodes give as `tool_name`."""
    description: str
    parameters: dict[str, Any]
    """JSON Schema of an object."""


class ToolList(Answer):
    """What one provider offers."""

    data: list[ToolView]


_RESOURCE = Resource(
    topic="definitions.tool_providers",
    entity=ToolProvider,
    body=ToolProviderBody,
    view=ToolProviderView,
    listing=ToolProviderList,
    path=_PATH,
    tag=_TAG,
    told=lambda provider: (
        {tool.server for tool in provider.api.tools.values()} if provider.document else {provider.url}
    ),
)


async def list_tools(request: web.Request) -> web.Response:
    """The operations of an API; a workflow is one tool. 409 for an MCP server: only workers connect to one,
    when a node calls it. A node that names a tool which is not there fails with the list of all."""
    provider = _named(request)
    if provider.kind == "workflow":
        return json_answer(ToolList(data=[_as_tool(request, provider)]))
    # An API may have a thousand operations: not on the loop that takes events.
    return json_answer(await asyncio.to_thread(_tools, _described(provider)))


def _as_tool(request: web.Request, provider: ToolProvider) -> ToolView:
    """Raises `Conflict` where it cannot be called."""
    workflow = request.app[FEED].definitions.latest.get(provider.workflow_id or "")
    if workflow is None or workflow.tenant_id != provider.tenant_id:
        raise Conflict(f"no version of workflow {provider.workflow_id} is published")
    form = [InputVariable.model_validate(one) for one in workflow.user_input_form()]
    return ToolView(name=provider.name, description=provider.description, parameters=form_schema(form))


def _tools(provider: ToolProvider) -> ToolList:
    return ToolList(
        data=[
            ToolView(name=tool.name, description=tool.description, parameters=tool.arguments())
            for tool in provider.api.tools.values()
        ]
    )


async def show_document(request: web.Request) -> web.Response:
    """The OpenAPI document as it was given, in JSON. 409 for what has none."""
    return json_answer(_described(_named(request)).document)


def _named(request: web.Request) -> ToolProvider:
    provider = _RESOURCE.named(request)
    assert isinstance(provider, ToolProvider)
    return provider


def _described(provider: ToolProvider) -> ToolProvider:
    """Raises `Conflict` for one without a document."""
    if provider.kind == "workflow":
        raise Conflict(f"{provider.name!r} is a workflow: it has no document")
    if provider.kind != "openapi":
        raise Conflict(
            f"{provider.name!r} is an MCP server: it has no document, and only workers ask it for its tools"
        )
    return provider


OPERATIONS = (
    *_RESOURCE.operations(),
    Operation(
        method="GET",
        path=_PATH + "/{name}/tools",
        handler=list_tools,
        summary="List the tools of a provider",
        tag=_TAG,
        answer=ToolList,
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path=_PATH + "/{name}/document",
        handler=show_document,
        summary="Show the OpenAPI document of a tool provider",
        tag=_TAG,
        answer="application/json",
        errors=(404, 409),
    ),
)
