"""Of two triggers that claim one address, exactly one has it, in every process and after compaction."""

from itertools import permutations

from schemas.models import AppTrigger, DeploymentStatus
from transport.definitions import TRIGGERS, Definitions

ID = "0123456789abcdef"
OTHER = "fedcba9876543210"


def webhook(name: str, webhook_id: str, path: str | None = None, **more: object) -> AppTrigger:
    config = {"webhook_id": webhook_id, "webhook_path": path}
    return AppTrigger.model_validate(
        {"id": name, "app_id": "a", "workflow_id": "w", "type": "WEBHOOK", "config": config, **more}
    )


def holder(definitions: Definitions, address: str) -> str | None:
    found = definitions.at("WEBHOOK", address)
    return found.id if found else None


def routed(definitions: Definitions, webhook_id: str) -> list[str]:
    tenant_id = webhook("x", ID).tenant_id
    return [one.trigger.id for one in definitions.route(tenant_id, "WEBHOOK", webhook_id)]


def test_the_first_in_the_log_has_the_path() -> None:
    definitions = Definitions()
    definitions.apply(TRIGGERS, "b", webhook("b", ID, "orders"), 5)
    definitions.apply(TRIGGERS, "a", webhook("a", OTHER, "orders"), 6)
    assert holder(definitions, "orders") == "b"
    assert (holder(definitions, ID), holder(definitions, OTHER)) == ("b", "a")
    assert (routed(definitions, ID), routed(definitions, OTHER)) == (["b"], ["a"])


def test_only_the_first_gets_events_of_an_id_that_two_have_given() -> None:
    definitions = Definitions()
    definitions.apply(TRIGGERS, "b", webhook("b", ID), 5)
    definitions.apply(TRIGGERS, "a", webhook("a", ID), 6)
    assert holder(definitions, ID) == "b"
    assert routed(definitions, ID) == ["b"]


def test_a_path_cannot_take_the_place_of_an_id() -> None:
    definitions = Definitions()
    definitions.apply(TRIGGERS, "b", webhook("b", ID), 5)
    definitions.apply(TRIGGERS, "a", webhook("a", OTHER, ID), 6)
    assert holder(definitions, ID) == "b"
    assert routed(definitions, ID) == ["b"]


def test_what_has_changed_since_the_claim_changes_nothing() -> None:
    """Compaction drops the record that made the claim: a new process sees them in another order."""
    definitions = Definitions()
    definitions.apply(TRIGGERS, "a", webhook("a", ID, "orders"), 1)
    definitions.apply(TRIGGERS, "b", webhook("b", OTHER, "orders"), 2)
    paused = definitions.triggers["a"].model_copy(update={"name": "changed"})
    definitions.apply(TRIGGERS, "a", paused, 3)
    assert holder(definitions, "orders") == "a"
    stored = AppTrigger.model_validate_json(paused.model_dump_json())
    for order in permutations([("b", webhook("b", OTHER, "orders"), 2), ("a", stored, 3)]):
        compacted = Definitions()
        for name, trigger, offset in order:
            compacted.apply(TRIGGERS, name, trigger, offset)
        assert holder(compacted, "orders") == "a"


def test_another_path_is_another_claim() -> None:
    definitions = Definitions()
    definitions.apply(TRIGGERS, "a", webhook("a", ID, "old"), 1)
    definitions.apply(TRIGGERS, "b", webhook("b", OTHER, "new"), 2)
    config = {"webhook_id": ID, "webhook_path": "new"}
    definitions.apply(TRIGGERS, "a", definitions.triggers["a"].model_copy(update={"config": config}), 3)
    assert (holder(definitions, "old"), holder(definitions, "new")) == (None, "b")


def test_an_address_is_free_once_its_trigger_is_gone_or_undeployed() -> None:
    definitions = Definitions()
    definitions.apply(TRIGGERS, "a", webhook("a", ID, "orders"), 1)
    withdrawn = {"deployment_status": DeploymentStatus.UNDEPLOYED}
    definitions.apply(TRIGGERS, "a", definitions.triggers["a"].model_copy(update=withdrawn), 2)
    assert holder(definitions, "orders") is None
    definitions.apply(TRIGGERS, "b", webhook("b", OTHER, "orders"), 3)
    again = {"deployment_status": DeploymentStatus.DEPLOYED}
    definitions.apply(TRIGGERS, "a", definitions.triggers["a"].model_copy(update=again), 4)
    assert holder(definitions, "orders") == "b", "who comes again comes after who came meanwhile"
    definitions.apply(TRIGGERS, "b", None, 5)
    assert holder(definitions, "orders") == "a"
