"""Where a tenant's tools come from: an HTTP API with its OpenAPI document, an MCP server, or a workflow."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.document import read_document
from schemas.models.provider import Provider
from schemas.openapi import Api, read_api

ToolProviderKind = Literal["openapi", "mcp", "workflow"]
AuthType = Literal["none", "api_key", "bearer", "basic"]

CREDENTIALS: Mapping[AuthType, tuple[str, ...]] = {
    "none": (),
    "api_key": ("api_key",),
    "bearer": ("token",),
    "basic": ("username", "password"),
}
"""Kind of authorization -> the names of the credentials that it takes, every one of them."""


class ToolAuth(BaseModel):
    """How a provider's credentials are sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: AuthType = "none"
    """`api_key` takes the credential `api_key`, `bearer` a `token`, `basic` a `username` and a `password`."""
    location: Literal["header", "query"] = "header"
    """Where an API key goes."""
    name: str = "Authorization"
    """Of the header or the query parameter with the API key."""
    prefix: str = ""
    """What stands before an API key, with a space between."""


def _document(given: Any) -> Any:
    """A text as the object it holds. `InvalidDefinition` passes through pydantic, with all its problems."""
    return read_document(given, "an OpenAPI document") if isinstance(given, str) else given


_MADE_OF: Mapping[ToolProviderKind, str] = {"openapi": "document", "mcp": "url", "workflow": "workflow_id"}
"""Kind -> the field that it cannot do without, and that no other kind has."""


class ToolSource(BaseModel):
    """What the kinds are made of. One kind's fields are no use to the others, and refused."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: ToolProviderKind
    description: str = ""
    document: Annotated[dict[str, Any] | None, BeforeValidator(_document)] = None
    """`openapi`: the document, as an object or as a text in JSON or YAML."""
    server_url: str | None = Field(default=None, pattern=r"^https?://[^/]+")
    """`openapi`: used instead of the servers that the document names."""
    url: str | None = Field(default=None, pattern=r"^https?://[^/]+")
    """`mcp`: the endpoint of the server."""
    transport: Literal["streamable_http", "sse"] = "streamable_http"
    """`mcp`: `sse` is the older one, of servers before the protocol of 2025-03-26."""
    workflow_id: str | None = Field(default=None, min_length=1)
    """`workflow`: the latest version of it that is published is what is called."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Sent with every request, in the clear: what is secret belongs to the credentials."""
    auth: ToolAuth = ToolAuth()
    timeout_s: float | None = Field(default=None, gt=0, le=3600)
    """For one call; none: the deployment's (HOPLINE_TOOL_TIMEOUT_S)."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        for kind, field in _MADE_OF.items():
            if kind == self.kind and getattr(self, field) is None:
                raise ValueError(f"a provider of kind {kind} needs {field}")
            if kind != self.kind and getattr(self, field) is not None:
                raise ValueError(f"a provider of kind {self.kind} has no {field}")
        if self.kind == "workflow" and (self.auth.type != "none" or self.headers or self.timeout_s):
            raise ValueError("a provider of kind workflow has no auth, headers and timeout_s")
        return self


class ToolProvider(ToolSource, Provider):
    """What tool and agent nodes call their provider, by its name."""

    @cached_property
    def api(self) -> Api:
        """Of the kind openapi. Raises `InvalidDefinition` for a document that was never checked."""
        return read_api(self.document or {}, self.server_url)
