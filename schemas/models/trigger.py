"""What starts which workflow."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from schemas.models.entity import Entity
from schemas.triggers.config import TriggerConfig
from schemas.triggers.schedule import ScheduleConfig
from schemas.triggers.webhook import WebhookConfig


class AppTriggerType(StrEnum):
    """How an event enters. MANUAL needs no configured trigger: each published workflow can be started."""

    WEBHOOK = "WEBHOOK"
    SCHEDULE = "SCHEDULE"
    MANUAL = "MANUAL"


class AppTriggerStatus(StrEnum):
    """PAUSED ignores events, and says so in the trigger log."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class AppTrigger(Entity):
    """What starts which workflow. Routed by (type, index_key), then by its own filters."""

    app_id: str
    workflow_id: str
    node_id: str = ""
    name: str = ""
    type: AppTriggerType
    config: dict[str, Any]
    """As the model of its type serialises it, with its secrets encrypted."""
    status: AppTriggerStatus = AppTriggerStatus.ACTIVE

    @property
    def index_key(self) -> str:
        """What an event must carry to be looked at by this trigger."""
        return CONFIGS[self.type].model_validate(self.config).index_key(self.id)


CONFIGS: Mapping[AppTriggerType, type[TriggerConfig]] = {
    AppTriggerType.WEBHOOK: WebhookConfig,
    AppTriggerType.SCHEDULE: ScheduleConfig,
}
"""Those that are configured: a manual start needs nothing but a published workflow."""
