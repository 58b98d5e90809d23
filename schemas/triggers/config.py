"""What every kind of trigger can be asked. A kind is one file of this package: `kinds` finds it there."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.expressions import Cel


class Dependencies(BaseModel):
    """Other triggers that must have let an event through for this one to start a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    triggers: tuple[str, ...] = Field(min_length=1, max_length=20)
    """Their ids."""
    mode: Literal["all", "any"] = "all"
    window_s: Annotated[float, Field(gt=0, le=30 * 86_400)]
    """How far apart the events may be accepted, whichever comes first."""
    key: Cel = ""
    """CEL over `event`: events with the same value belong together. "": all do."""
    keys: dict[str, Cel] = Field(default_factory=dict)
    """Trigger id -> the expression for its events, where it is another one than `key`."""


class Answers(BaseModel):
    """What makes an event the answer that a paused run of the workflow waits for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Cel = ""
    """CEL over `event`: the id of the pause, of the run, or the `correlation_key` of the node that waits.
    "", or an event that has none: the run that began to wait last."""
    look_back_s: Annotated[float, Field(ge=0, le=86_400)] = 30
    """How long an event with a key waits for its run, should it have come too early."""
    otherwise: Literal["start", "ignore"] = "start"
    """What becomes of an event that is no answer."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Field of the form -> dotted path into the event. Without any, a field takes what has its name in the
    body."""
    action: Cel = ""
    """CEL over `event`: the id of the action that is chosen. "" where there is only one."""


class Retry(BaseModel):
    """Starts a run again that has failed: with the same inputs, as a run of its own under the same log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_retries: Annotated[int, Field(ge=1, le=10)] = 3
    delay_s: Annotated[float, Field(ge=0, le=86_400)] = 60
    """Before the first one; twice as long before each further one."""
    max_delay_s: Annotated[float, Field(gt=0, le=86_400)] = 3_600
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Longer by up to this share."""


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

    condition: Cel = ""
    """CEL over `event`: what it does not hold for starts nothing."""
    depends_on: Dependencies | None = None
    retry: Retry | None = None
    """None: a run that has failed stays so. A chat takes none: its turns are told once."""
    answers: Answers | None = None
    """None: its events answer nothing."""

    def index_key(self, trigger_id: str) -> str:
        """What an event must carry to be looked at by this trigger; "" looks at all of the kind."""
        return trigger_id

    @property
    def address(self) -> str | None:
        """Of the endpoint that is this trigger's alone."""
        return None

    @property
    def addresses(self) -> tuple[str, ...]:
        """All that lead to that endpoint; no other trigger of the kind can have one of them."""
        return () if self.address is None else (self.address,)

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """Why the event, TriggerEvent.data, is not for this trigger; None where it is. Pure, and quick."""
        return None

    def part(self, event: Mapping[str, Any]) -> str:
        """Which part of the deliveries has brought the event, where this trigger looks at one part only: what
        another one has brought is no duplicate to it. "" for a trigger that looks at all."""
        return ""

    @classmethod
    def from_node(cls, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """The config that the `data` of a trigger node of a workflow stands for; None where it is not of
        this kind. What cannot be is found when it is validated.

        Dify has nodes for three kinds. A node of any type may name a kind in words of our own: its `config`,
        beside a `trigger_type`. Raises `ValueError` for a config that is no object.
        """
        if data.get("trigger_type") != cls.type:
            return None
        config = data.get("config") or {}
        if not isinstance(config, Mapping):
            raise ValueError("config must be an object")
        return dict(config)

    def mapping(self) -> Mapping[str, str]:
        """Start variable -> dotted path into the event."""
        return {}
