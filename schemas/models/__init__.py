"""What people configure: apps, workflow versions, triggers, providers, API keys; and what has run."""

from schemas.models.api_key import ApiKey
from schemas.models.app import App, AppMode
from schemas.models.entity import DEFAULT_TENANT, Entity, utc_now
from schemas.models.provider import Provider
from schemas.models.run import WorkflowNodeExecution, WorkflowRun
from schemas.models.tool_provider import ToolProvider
from schemas.models.trigger import (
    AppTrigger,
    AppTriggerStatus,
    AppTriggerType,
    RequiredParameters,
    SignatureConfig,
    WebhookConfig,
    WebhookResponse,
)
from schemas.models.workflow import DRAFT, Workflow, WorkflowType

__all__ = [
    "DEFAULT_TENANT",
    "DRAFT",
    "ApiKey",
    "App",
    "AppMode",
    "AppTrigger",
    "AppTriggerStatus",
    "AppTriggerType",
    "Entity",
    "Provider",
    "RequiredParameters",
    "SignatureConfig",
    "ToolProvider",
    "WebhookConfig",
    "WebhookResponse",
    "Workflow",
    "WorkflowNodeExecution",
    "WorkflowRun",
    "WorkflowType",
    "utc_now",
]
