"""What people configure: apps, workflow versions, triggers, providers, API keys; and what has run."""

from schemas.models.api_key import PERMISSIONS, ApiKey, Permission
from schemas.models.app import App, AppMode
from schemas.models.connection import Connection, GitHubConnection, SlackConnection
from schemas.models.dataset import Dataset
from schemas.models.deployment import DeploymentRecord, DeploymentStatus, WorkflowDeployment
from schemas.models.entity import DEFAULT_TENANT, TENANT_PATTERN, Entity, utc_now
from schemas.models.erasure import Erasure, ErasureStatus
from schemas.models.flow_control import Batch, Debounce, FlowControl, ManualStarts, RateLimit, Throttle
from schemas.models.model_provider import ModelProvider
from schemas.models.oauth_client import TriggerOAuthSystemClient, TriggerOAuthTenantClient
from schemas.models.pause import WorkflowPause
from schemas.models.provider import Provider
from schemas.models.run import WorkflowNodeExecution, WorkflowRun
from schemas.models.sandbox_policy import SandboxPolicy
from schemas.models.source_state import SourceState
from schemas.models.subscription import SubscriptionState, TriggerSubscription
from schemas.models.tool_provider import ToolProvider
from schemas.models.trigger import (
    AppTrigger,
    AppTriggerStatus,
    AppTriggerType,
    DeployedTrigger,
    TriggerHead,
)
from schemas.models.trigger_log import WorkflowTriggerLog
from schemas.models.workflow import DRAFT, Workflow
from schemas.models.workflow_head import WorkflowHead, WorkflowType

__all__ = [
    "DEFAULT_TENANT",
    "DRAFT",
    "PERMISSIONS",
    "TENANT_PATTERN",
    "ApiKey",
    "App",
    "AppMode",
    "AppTrigger",
    "AppTriggerStatus",
    "AppTriggerType",
    "Batch",
    "Connection",
    "Dataset",
    "Debounce",
    "DeployedTrigger",
    "DeploymentRecord",
    "DeploymentStatus",
    "Entity",
    "Erasure",
    "ErasureStatus",
    "FlowControl",
    "GitHubConnection",
    "ManualStarts",
    "ModelProvider",
    "Permission",
    "Provider",
    "RateLimit",
    "SandboxPolicy",
    "SlackConnection",
    "SourceState",
    "SubscriptionState",
    "Throttle",
    "ToolProvider",
    "TriggerHead",
    "TriggerOAuthSystemClient",
    "TriggerOAuthTenantClient",
    "TriggerSubscription",
    "Workflow",
    "WorkflowDeployment",
    "WorkflowHead",
    "WorkflowNodeExecution",
    "WorkflowPause",
    "WorkflowRun",
    "WorkflowTriggerLog",
    "WorkflowType",
    "utc_now",
]
