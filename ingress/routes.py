"""Every operation of the HTTP interface."""

from ingress import (
    api_keys,
    dead_letters,
    drafts,
    files,
    health,
    imports,
    manual,
    openapi,
    queries,
    runs,
    sandbox_policies,
    tool_providers,
    trigger_logs,
    triggers,
    webhook,
    workflows,
)
from ingress.operation import Operation

_DESCRIBED: tuple[Operation, ...] = (
    *webhook.OPERATIONS,
    *manual.OPERATIONS,
    *imports.OPERATIONS,
    *workflows.OPERATIONS,
    *drafts.OPERATIONS,
    *triggers.OPERATIONS,
    *runs.OPERATIONS,
    *files.OPERATIONS,
    *trigger_logs.OPERATIONS,
    *dead_letters.OPERATIONS,
    *sandbox_policies.OPERATIONS,
    *tool_providers.OPERATIONS,
    *queries.OPERATIONS,
    *api_keys.OPERATIONS,
    *health.OPERATIONS,
)

OPERATIONS = (*_DESCRIBED, openapi.serving(_DESCRIBED))
