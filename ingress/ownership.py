"""What a caller can see: everything of its tenant. What belongs to others is as if it were not there."""

from aiohttp import web

from ingress.auth import CALLER, Caller
from ingress.errors import NotFound
from ingress.keys import FEED
from schemas.models import DRAFT, App, AppTrigger, Workflow, WorkflowHead
from transport.definitions import Definitions, Versions


def find_versions(definitions: Definitions, caller: Caller, workflow_id: str) -> Versions:
    """Version -> Workflow, at least one. Raises `NotFound`."""
    versions = definitions.versions(workflow_id)
    if not versions or any(one.tenant_id != caller.tenant_id for one in versions.heads):
        raise NotFound(f"no workflow has the id {workflow_id}; GET /api/v1/workflows lists them")
    return versions


def find_workflow(definitions: Definitions, caller: Caller, workflow_id: str) -> WorkflowHead:
    """The head of its latest published version, else of its draft. Raises `NotFound`."""
    versions = find_versions(definitions, caller, workflow_id)
    found = definitions.latest.head(workflow_id) or versions.head(DRAFT)
    assert found is not None, "what is not published is a draft"
    return found


def named_workflow(request: web.Request) -> WorkflowHead:
    """`find_workflow` for the one in the path."""
    return find_workflow(request.app[FEED].definitions, request[CALLER], request.match_info["workflow_id"])


def find_version(definitions: Definitions, caller: Caller, workflow_id: str, version: str | None) -> Workflow:
    """That version; without one the latest published, else the draft. Raises `NotFound`."""
    versions = find_versions(definitions, caller, workflow_id)
    if version is None:
        return definitions.latest.get(workflow_id) or versions[DRAFT]
    if version not in versions:
        raise NotFound(f"workflow {workflow_id} has no version {version!r}; it has {', '.join(versions)}")
    return versions[version]


def find_app(definitions: Definitions, caller: Caller, app_id: str) -> App | None:
    """None where there is none, or it is somebody else's."""
    app = definitions.apps.get(app_id)
    return app if app is not None and app.tenant_id == caller.tenant_id else None


def find_trigger(definitions: Definitions, caller: Caller, trigger_id: str) -> AppTrigger:
    """Raises `NotFound`."""
    head = definitions.triggers.head(trigger_id)
    if head is None or head.tenant_id != caller.tenant_id:
        raise NotFound(f"no trigger has the id {trigger_id}; GET /api/v1/triggers lists them")
    return definitions.triggers[trigger_id]
