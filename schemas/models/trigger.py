"""What starts which workflow."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from schemas.models.deployment import DeploymentStatus
from schemas.models.entity import Entity
from schemas.triggers.config import TriggerConfig
from schemas.triggers.kinds import KINDS


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no type of trigger; known are {', '.join(KINDS)}")
    return kind


AppTriggerType = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(KINDS)})
]
"""The word of a kind in `schemas.triggers`."""


class AppTriggerStatus(StrEnum):
    """PAUSED ignores events, and says so in the trigger log."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class AppTrigger(Entity):
    """What starts which workflow. Routed by (type, index_key), then by its own filters."""

    app_id: str
    workflow_id: str
    node_id: str = ""
    """The trigger node of the workflow that its events enter by."""
    name: str = ""
    type: AppTriggerType
    config: dict[str, Any]
    """As the model of its type serialises it, with its secrets encrypted."""
    status: AppTriggerStatus = AppTriggerStatus.ACTIVE
    deployment_status: DeploymentStatus = DeploymentStatus.DEPLOYED
    from_node: bool = False
    """Whether it was made of a trigger node of the workflow; else it was configured by itself."""
    claims: dict[str, int] = Field(default_factory=dict)
    """Address -> where in definitions.triggers it was claimed: the first one has it. Noted by who reads the
    record; a change repeats it."""

    @property
    def settings(self) -> TriggerConfig:
        """`config`, read by the model of its type. Raises `ValidationError`."""
        return KINDS[self.type].model_validate(self.config)


@dataclass(frozen=True, slots=True)
class DeployedTrigger:
    """The entry of a trigger in the index by which events are routed."""

    trigger: AppTrigger
    settings: TriggerConfig
    index_key: str

    @property
    def is_alone(self) -> bool:
        """Whether its events are for no other trigger."""
        return self.settings.address is not None or self.index_key == self.trigger.id

    @classmethod
    def of(cls, trigger: AppTrigger, offset: int = 0) -> "DeployedTrigger":
        """Notes `offset`, of the record that says so, for each address that is claimed for the first time.

        Raises `ValidationError` for a config that is none of its type.
        """
        settings = trigger.settings
        claims = {address: trigger.claims.get(address, offset) for address in settings.addresses}
        if claims != trigger.claims:
            trigger = trigger.model_copy(update={"claims": claims})
        return cls(trigger, settings, settings.index_key(trigger.id))
