"""What every kind of trigger can be asked. A kind is one file of this package: `kinds` finds it there."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class TriggerConfig(BaseModel):
    """The `config` of an AppTrigger. Events are routed in two steps: looked up by `index_key`, then held
    against `refusal`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str]
    """Word of the kind: `AppTrigger.type`, `TriggerEvent.trigger_type`."""
    queue: ClassVar[str] = "default"
    """Where the node tasks of its runs go: default, high_priority or plugin_triggers."""
    node_type: ClassVar[str] = "trigger-plugin"
    """The node of a workflow that such an event enters by, where the trigger names none."""
    sealed: ClassVar[tuple[str, ...]] = ()
    """Dotted paths of the fields that hold secrets, each a string, a list or an object of strings."""

    def index_key(self, trigger_id: str) -> str:
        """What an event must carry to be looked at by this trigger; "" looks at all of the kind."""
        return trigger_id

    @property
    def address(self) -> str | None:
        """Of the endpoint that is this trigger's alone."""
        return None

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """Why the event, TriggerEvent.data, is not for this trigger; None where it is. Pure, and quick."""
        return None

    def mapping(self) -> Mapping[str, str]:
        """Start variable -> dotted path into the event."""
        return {}
