"""CloudEvents: events that are sent with an API key, and which of them a trigger wants.

Source: CloudEvents Subscriptions API, section 3.2.4.1 "Filter Dialects".
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_serializer, model_validator

from schemas.cloudevents import CloudEvent, NoCloudEvent, read_events
from schemas.triggers.config import TriggerConfig
from schemas.triggers.delivery import Delivery, NotUnderstood, Received, ReceivedEvent

CLOUDEVENTS: Final = "CLOUDEVENTS"

_MAX_DEPTH = 5

_Attribute = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$", max_length=100)]
_Value = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
_Values = Annotated[dict[_Attribute, _Value], Field(min_length=1, max_length=20)]


class Filter(BaseModel):
    """One dialect with what it needs. An event without the attribute does not pass."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    exact: _Values | None = None
    """Attribute -> what it is; every one of them."""
    prefix: _Values | None = None
    """Attribute -> what it begins with."""
    suffix: _Values | None = None
    """Attribute -> what it ends with."""
    all: Annotated[tuple["Filter", ...], Field(min_length=1, max_length=50)] | None = None
    any: Annotated[tuple["Filter", ...], Field(min_length=1, max_length=50)] | None = None
    not_: Annotated["Filter | None", Field(alias="not")] = None

    @model_validator(mode="after")
    def _has_one_dialect(self) -> Self:
        if len(self._dialects()) != 1 or self.depth > _MAX_DEPTH:
            raise ValueError(f"a filter has one dialect, and at most {_MAX_DEPTH} are within one another")
        return self

    @model_serializer(mode="plain")
    def _as_written(self) -> dict[str, Any]:
        return {name.rstrip("_"): value for name, value in self._dialects().items()}

    @property
    def depth(self) -> int:
        """How many are within one another."""
        within = (*(self.all or ()), *(self.any or ()), *((self.not_,) if self.not_ else ()))
        return 1 + max((one.depth for one in within), default=0)

    def passes(self, attributes: Mapping[str, Any]) -> bool:
        """Whether an event with those attributes does."""
        if self.not_ is not None:
            return not self.not_.passes(attributes)
        if self.all is not None:
            return all(one.passes(attributes) for one in self.all)
        if self.any is not None:
            return any(one.passes(attributes) for one in self.any)
        return all(
            name in attributes and fits(_text(attributes[name]), wanted)
            for values, fits in self._compared()
            for name, wanted in values.items()
        )

    def types(self) -> Iterator[str]:
        """What the type of an event must be for it to pass."""
        if self.exact and "type" in self.exact:
            yield self.exact["type"]
        for one in self.all or ():
            yield from one.types()

    def _dialects(self) -> dict[str, Any]:
        return {name: value for name, value in self if value is not None}

    def _compared(self) -> Iterator[tuple[dict[str, str], Callable[[str, str], bool]]]:
        if self.exact:
            yield self.exact, str.__eq__
        if self.prefix:
            yield self.prefix, str.startswith
        if self.suffix:
            yield self.suffix, str.endswith


class CloudEventsConfig(TriggerConfig):
    """The `config` of a CLOUDEVENTS trigger."""

    type: ClassVar[str] = CLOUDEVENTS

    filters: Annotated[tuple[Filter, ...], Field(max_length=50)] = ()
    """All must let an event pass; none: every event of the tenant does."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event: `body.order_id`, `attributes.subject`. A start variable
    that is not named here takes the member of that name of the data."""

    def index_key(self, trigger_id: str) -> str:
        """The type that the events must have; "" where several would pass."""
        return next((one for wanted in self.filters for one in wanted.types()), "")

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """See `TriggerConfig.refusal`."""
        attributes = event["attributes"]
        for number, wanted in enumerate(self.filters, 1):
            if not wanted.passes(attributes):
                return f"filter {number} does not let it pass"
        return None

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs


def receive_cloudevents(delivery: Delivery, tenant_id: str) -> Received:
    """The events of a request, all or none. Raises `NotUnderstood` with everything that is wrong, and
    `UnknownFormat`."""
    try:
        events = read_events(delivery.headers, delivery.body)
    except NoCloudEvent as wrong:
        problem = "nothing of it is taken: it is no CloudEvents 1.0"
        raise NotUnderstood(problem, wrong.problems) from wrong
    return Received(tuple(_event(delivery, one, tenant_id) for one in events))


def _event(delivery: Delivery, event: CloudEvent, tenant_id: str) -> ReceivedEvent:
    attributes = event.attributes.model_dump(exclude_none=True)
    source, kind = event.attributes.source, event.attributes.type
    return ReceivedEvent(
        tenant_id=tenant_id,
        type=CLOUDEVENTS,
        index_key=kind,
        event_type=kind,
        source=source,
        subject=event.attributes.subject,
        # A URI reference has no space, so that two different pairs cannot give the same text.
        delivery_id=f"{source} {event.attributes.id}",
        scope=tenant_id,
        data={
            "type": "cloudevents",
            "method": delivery.method,
            "path": delivery.path,
            "attributes": attributes,
            "body": event.data,
            "metadata": {},
        },
    )


def _text(value: Any) -> str:
    """An attribute in its canonical form: CloudEvents, section 3.1."""
    return str(value).lower() if isinstance(value, bool) else str(value)
