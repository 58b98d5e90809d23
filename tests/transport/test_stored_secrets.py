"""A process notices that its key is not the one that secrets were stored with."""

import pytest

from schemas.models import ModelProvider, Workflow, WorkflowType
from schemas.secrets import SecretBox
from transport.definitions import WORKFLOWS, Definitions
from transport.stored_secrets import are_readable

BOX, OTHER = SecretBox(b"k" * 32), SecretBox(b"o" * 32)


def stored(where: str, box: SecretBox, definitions: Definitions | None = None) -> Definitions:
    """A secret in a workflow or in a provider of its models."""
    definitions = definitions or Definitions()
    text = box.encrypt("acme", "s3cret")
    if where == "workflow":
        variables = [{"name": "token", "value_type": "secret", "value": text}]
        workflow = Workflow(
            id="w", tenant_id="acme", app_id="a", type=WorkflowType.WORKFLOW, version="2026-01-01", graph={},
            environment_variables=variables,
        )  # fmt: skip
        definitions.apply(WORKFLOWS, "w:2026-01-01", workflow)
    else:
        given = {"id": "p", "tenant_id": "acme", "name": "openai", "base_url": "https://models.example"}
        provider = ModelProvider.model_validate({**given, "credentials": {"api_key": text}})
        definitions.apply("definitions.model_providers", "p", provider)
    return definitions


@pytest.mark.parametrize("where", ["workflow", "provider"])
def test_one_secret_tells_whether_the_key_is_the_same(where: str) -> None:
    assert are_readable(stored(where, BOX), BOX)
    assert not are_readable(stored(where, BOX), OTHER)


def test_where_nothing_is_stored_any_key_will_do() -> None:
    assert are_readable(Definitions(), BOX)


def test_one_that_was_stored_with_a_lost_key_says_nothing_of_the_others() -> None:
    assert are_readable(stored("provider", BOX, stored("workflow", OTHER)), BOX)
