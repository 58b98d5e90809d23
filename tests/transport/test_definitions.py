"""What is found of definitions, and by whom."""

import pytest

from schemas.models import DEFAULT_TENANT, DRAFT, AppTrigger, DeploymentStatus, Workflow, WorkflowType
from transport.definitions import TRIGGERS, WORKFLOWS, Definitions


def schedule(name: str, tenant_id: str = DEFAULT_TENANT, *needed: str) -> AppTrigger:
    depends_on = {"triggers": needed, "window_s": 60} if needed else None
    config = {"interval_s": 60, "depends_on": depends_on}
    return AppTrigger.model_validate(
        {
            "id": name,
            "tenant_id": tenant_id,
            "app_id": "a",
            "workflow_id": "w",
            "type": "SCHEDULE",
            "config": config,
        }
    )


def test_dependents_are_of_the_tenant_alone() -> None:
    definitions = Definitions()
    for one in (
        schedule("needed"),
        schedule("mine", DEFAULT_TENANT, "needed", "other"),
        schedule("theirs", "other tenant", "needed"),
    ):
        definitions.apply(TRIGGERS, one.key, one)
    assert list(definitions.dependents(DEFAULT_TENANT, "needed")) == ["mine"]
    assert list(definitions.dependents("other tenant", "needed")) == ["theirs"]
    definitions.apply(TRIGGERS, "mine", schedule("mine", DEFAULT_TENANT, "other"))
    assert list(definitions.dependents(DEFAULT_TENANT, "needed")) == []
    definitions.apply(TRIGGERS, "mine", None)
    assert list(definitions.dependents(DEFAULT_TENANT, "other")) == []


def test_who_is_not_deployed_is_known_by_tenant_type_and_index_key() -> None:
    definitions = Definitions()
    idle = schedule("s").model_copy(update={"deployment_status": DeploymentStatus.UNDEPLOYED})
    definitions.apply(TRIGGERS, "s", idle)
    assert definitions.undeployed.first(DEFAULT_TENANT, "SCHEDULE", "s") == "s"
    for other in (
        ("other", "SCHEDULE", "s"),
        (DEFAULT_TENANT, "PLUGIN", "s"),
        (DEFAULT_TENANT, "SCHEDULE", ""),
    ):
        assert definitions.undeployed.first(*other) is None


@pytest.mark.parametrize("then", [schedule("s"), None])
def test_who_is_deployed_or_removed_is_no_longer_undeployed(then: AppTrigger | None) -> None:
    definitions = Definitions()
    idle = schedule("s").model_copy(update={"deployment_status": DeploymentStatus.UNDEPLOYED})
    for _ in range(2):
        definitions.apply(TRIGGERS, "s", idle)
    definitions.apply(TRIGGERS, "s", then)
    assert definitions.undeployed.first(DEFAULT_TENANT, "SCHEDULE", "s") is None


def test_the_triggers_of_a_workflow_are_known_whatever_becomes_of_them() -> None:
    definitions = Definitions()
    for one in (schedule("a"), schedule("b"), schedule("a").model_copy(update={"workflow_id": "other"})):
        definitions.apply(TRIGGERS, one.key, one)
    idle = schedule("b").model_copy(update={"deployment_status": DeploymentStatus.UNDEPLOYED})
    definitions.apply(TRIGGERS, "b", idle)
    assert definitions.triggers_of("w") == [idle]
    assert [one.id for one in definitions.triggers_of("other")] == ["a"]
    definitions.apply(TRIGGERS, "b", None)
    assert definitions.triggers_of("w") == []


def test_nothing_stays_of_a_workflow_that_is_deleted() -> None:
    definitions = Definitions()
    versions = [
        Workflow(id="w", app_id="a", type=WorkflowType.WORKFLOW, version=version, graph={})
        for version in (DRAFT, "1")
    ]
    for one in versions:
        definitions.apply(WORKFLOWS, one.key, one)
    assert list(definitions.versions("w")) == [DRAFT, "1"]
    for one in versions:
        definitions.apply(WORKFLOWS, one.key, None)
    definitions.apply(WORKFLOWS, "never:1", None)
    assert (dict(definitions.workflows), dict(definitions.latest)) == ({}, {})
