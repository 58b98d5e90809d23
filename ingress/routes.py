"""Every operation of the HTTP interface."""

from ingress import (
    api_keys,
    cloudevents,
    dead_letters,
    deployments,
    drafts,
    files,
    flow_control,
    github,
    google_calendar,
    health,
    imports,
    manual,
    model_providers,
    openapi,
    pauses,
    queries,
    run_logs,
    runs,
    sandbox_policies,
    single_step,
    slack,
    stats,
    tool_providers,
    trigger_logs,
    trigger_requests,
    triggers,
    webhook,
    workflows,
)
from ingress.connections import resources as connections
from ingress.erasing import routes as erasing
from ingress.exporting import routes as exporting
from ingress.knowledge import datasets, documents, retrieval
from ingress.live import routes as live
from ingress.oauth import authorizing, clients
from ingress.operation import Operation
from ingress.subscriptions import control, plugin_list, receiving

_DESCRIBED: tuple[Operation, ...] = (
    *webhook.OPERATIONS,
    *receiving.OPERATIONS,
    *github.OPERATIONS,
    *google_calendar.OPERATIONS,
    *slack.OPERATIONS,
    *cloudevents.OPERATIONS,
    *manual.OPERATIONS,
    *imports.OPERATIONS,
    *workflows.OPERATIONS,
    *drafts.OPERATIONS,
    *deployments.OPERATIONS,
    *flow_control.OPERATIONS,
    *single_step.OPERATIONS,
    *triggers.OPERATIONS,
    *trigger_requests.OPERATIONS,
    *control.OPERATIONS,
    *plugin_list.OPERATIONS,
    *clients.OPERATIONS,
    *authorizing.OPERATIONS,
    # Before runs.OPERATIONS, where `export` would be the id of a run.
    *exporting.OPERATIONS,
    *runs.OPERATIONS,
    *live.OPERATIONS,
    *pauses.OPERATIONS,
    *run_logs.OPERATIONS,
    *files.OPERATIONS,
    *trigger_logs.OPERATIONS,
    *dead_letters.OPERATIONS,
    *sandbox_policies.OPERATIONS,
    *model_providers.OPERATIONS,
    *tool_providers.OPERATIONS,
    *connections.OPERATIONS,
    *queries.OPERATIONS,
    *stats.OPERATIONS,
    *datasets.OPERATIONS,
    *documents.OPERATIONS,
    *retrieval.OPERATIONS,
    *api_keys.OPERATIONS,
    *erasing.OPERATIONS,
    *health.OPERATIONS,
)

OPERATIONS = (*_DESCRIBED, openapi.serving(_DESCRIBED))
