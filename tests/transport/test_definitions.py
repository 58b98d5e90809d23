"""What is found of definitions, and by whom."""

from schemas.models import DEFAULT_TENANT, AppTrigger
from transport.definitions import TRIGGERS, Definitions


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
