"""A process notices that its key is not the one that secrets were stored with."""

import pytest

from schemas.models import AppTrigger, ModelProvider, Workflow, WorkflowType
from schemas.secrets import SecretBox
from tests.transport.test_subscriptions import subscription
from transport.definitions import TRIGGERS, WORKFLOWS, Definitions
from transport.stored_secrets import are_readable
from transport.subscriptions import SUBSCRIPTIONS

BOX, OTHER = SecretBox(b"k" * 32), SecretBox(b"o" * 32)


def stored(where: str, box: SecretBox, definitions: Definitions | None = None) -> Definitions:
    """A secret in a workflow, in a provider of its models, or in what brings it events."""
    definitions = definitions or Definitions()
    text = box.encrypt("acme", "s3cret")
    if where == "workflow":
        variables = [{"name": "token", "value_type": "secret", "value": text}]
        workflow = Workflow(
            id="w", tenant_id="acme", app_id="a", type=WorkflowType.WORKFLOW, version="2026-01-01", graph={},
            environment_variables=variables,
        )  # fmt: skip
        definitions.apply(WORKFLOWS, "w:2026-01-01", workflow)
    elif where == "trigger":
        config = {"webhook_id": "w" * 16, "signature": {"scheme": "github", "secrets": [text]}}
        trigger = AppTrigger(
            id="t", tenant_id="acme", app_id="a", workflow_id="w", type="WEBHOOK", config=config
        )
        definitions.apply(TRIGGERS, "t", trigger)
    elif where == "subscription":
        credentials = {"token_type": "Bearer", "access_token": text}
        definitions.apply(SUBSCRIPTIONS, "s1", subscription(1, tenant_id="acme", credentials=credentials))
    else:
        given = {"id": "p", "tenant_id": "acme", "name": "openai", "base_url": "https://models.example"}
        provider = ModelProvider.model_validate({**given, "credentials": {"api_key": text}})
        definitions.apply("definitions.model_providers", "p", provider)
    return definitions


@pytest.mark.parametrize("where", ["workflow", "provider", "trigger", "subscription"])
def test_one_secret_tells_whether_the_key_is_the_same(where: str) -> None:
    assert are_readable(stored(where, BOX), BOX)
    assert not are_readable(stored(where, BOX), OTHER)
    assert not are_readable(stored(where, BOX), None)


@pytest.mark.parametrize("box", [BOX, None])
def test_where_nothing_is_stored_any_key_will_do(box: SecretBox | None) -> None:
    assert are_readable(Definitions(), box)


def test_one_that_was_stored_with_a_lost_key_says_nothing_of_the_others() -> None:
    assert are_readable(stored("provider", BOX, stored("workflow", OTHER)), BOX)
