"""What every kind of trigger can be asked."""

from pydantic import BaseModel, ConfigDict


class TriggerConfig(BaseModel):
    """The `config` of an AppTrigger. A kind subclasses it, in a file of its own, and is listed in `kinds`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def index_key(self, trigger_id: str) -> str:
        """What an event must carry to be looked at by this trigger: the coarse half of routing."""
        return trigger_id
