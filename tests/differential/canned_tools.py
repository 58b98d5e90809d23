"""Providers of the tools that the world has, each described by an OpenAPI document."""

from collections.abc import Mapping, Sequence

from schemas.models import ToolProvider
from tests.differential.job import Job
from tests.graphs import Json
from transport.definitions import Definitions


def configure_tools(definitions: Definitions, job: Job, url: str) -> None:
    """Those of a job, for each provider that its graph names."""
    operations = {
        name: operation(tool["parameters"], tool.get("required") or ()) for name, tool in job.tools.items()
    }
    for node in job.graph["nodes"]:
        if node["data"]["type"] == "tool":
            apply_provider(definitions, node["data"]["provider_id"], operations, url)


def apply_provider(definitions: Definitions, name: str, operations: Mapping[str, Json], url: str) -> None:
    """A provider of that name, with the operations by their names."""
    paths = {f"/tools/{tool}": {"post": {**one, "operationId": tool}} for tool, one in operations.items()}
    info = {"title": "canned", "version": "1"}
    document = {"openapi": "3.0.0", "info": info, "servers": [{"url": url}], "paths": paths}
    provider = ToolProvider(id=name, name=name, tenant_id="tenant", kind="openapi", document=document)
    definitions.apply("definitions.tool_providers", name, provider)


def operation(parameters: Mapping[str, Json], required: Sequence[str] = ()) -> Json:
    """That takes the parameters as members of a JSON object."""
    schema = {"type": "object", "properties": dict(parameters), "required": list(required)}
    return {
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "ok"}},
    }
