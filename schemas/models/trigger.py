"""What starts which workflow."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field, WithJsonSchema

from schemas.models.deployment import DeploymentStatus
from schemas.models.entity import Entity
from schemas.sharing import same
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


@dataclass(frozen=True, slots=True, eq=False)
class TriggerHead:
    """What is known of a trigger without its config: small, for there may be a hundred thousand.

    One object stands for one state of the trigger, so that identity tells whether it has changed.
    """

    id: str
    tenant_id: str
    app_id: str
    workflow_id: str
    node_id: str
    type: str
    status: AppTriggerStatus
    is_deployed: bool
    index_key: str
    """What an event must carry to be looked at by it; see `TriggerConfig.index_key`."""
    is_alone: bool
    """Whether its events are for no other trigger."""
    claims: tuple[tuple[str, int], ...]
    """See `AppTrigger.claims`. Without any where it is not deployed: others may have its addresses meanwhile,
    and deployed again, it comes after them."""
    needs: tuple[str, ...]
    """Ids of the triggers that it depends on."""

    @classmethod
    def of(cls, trigger: AppTrigger, offset: int = 0) -> "TriggerHead":
        """Notes `offset`, of the record that says so, for each address that is claimed for the first time.

        Raises `ValidationError` for a config that is none of its type.
        """
        settings, is_deployed = trigger.settings, trigger.deployment_status is DeploymentStatus.DEPLOYED
        index_key = settings.index_key(trigger.id)
        addresses = settings.addresses if is_deployed else ()
        return cls(
            id=trigger.id,
            tenant_id=same(trigger.tenant_id),
            app_id=same(trigger.app_id),
            workflow_id=same(trigger.workflow_id),
            node_id=same(trigger.node_id),
            type=settings.type,
            status=trigger.status,
            is_deployed=is_deployed,
            index_key=trigger.id if index_key == trigger.id else index_key,
            is_alone=settings.address is not None or index_key == trigger.id,
            claims=tuple((address, trigger.claims.get(address, offset)) for address in addresses),
            needs=settings.depends_on.triggers if settings.depends_on else (),
        )


class DeployedTrigger(NamedTuple):
    """A trigger as an event meets it."""

    trigger: TriggerHead
    settings: TriggerConfig
