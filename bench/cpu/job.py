"""The bench's job, configured: `samples/order-review` published, and a webhook that wants no signature."""

from datetime import UTC, datetime

import orjson

from bench.connection import Endpoint
from bench.deployment import ID_HEADER, SAMPLE
from schemas.dsl import parse_dsl
from schemas.ids import entity_id
from schemas.models import DRAFT, AppTrigger, Workflow, WorkflowType
from transport.definitions import TRIGGERS, WORKFLOWS, Definitions

ADDRESS = "order-review-of-the-bench"
"""Of the webhook."""

ENDPOINT = Endpoint(f"http://127.0.0.1:8080/triggers/webhook/{ADDRESS}", ID_HEADER)
"""Nothing listens there."""

PUBLISHED = datetime(2026, 1, 1, tzinfo=UTC)
"""Long before any event: a run whose version may be about to change takes another way."""


def definitions() -> Definitions:
    """What a deployment has after `bench.deployment.Deployment.install_job`."""
    file = parse_dsl((SAMPLE / "workflow.yml").read_text())
    trigger_config = orjson.loads((SAMPLE / "sample.json").read_bytes())["trigger"]["config"]
    trigger_config.pop("signature")
    draft = Workflow(
        id=entity_id("workflow", "bench"),
        app_id=entity_id("app", "bench"),
        type=WorkflowType.from_app_mode(file.mode),
        version=DRAFT,
        graph=file.graph,
        features=file.features,
    )
    workflow = draft.published(PUBLISHED, by=None)
    trigger = AppTrigger(
        id=entity_id("trigger", "bench"),
        app_id=workflow.app_id,
        workflow_id=workflow.id,
        type="WEBHOOK",
        config={"webhook_id": ADDRESS, **trigger_config},
    )
    made = Definitions()
    made.apply(WORKFLOWS, workflow.key, workflow)
    made.apply(TRIGGERS, trigger.key, trigger)
    return made
