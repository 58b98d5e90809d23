"""Events of providers, brought by plugins: they come to subscriptions, among whose events triggers choose."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from schemas.plugins.contract import EventFilters
from schemas.plugins.registry import find_plugin
from schemas.triggers.config import TriggerConfig

_SHOWN_CHARS = 500


class PluginConfig(TriggerConfig):
    """The `config` of a PLUGIN trigger. Fields of the seed's WorkflowPluginTrigger."""

    type: ClassVar[str] = "PLUGIN"
    queue: ClassVar[str] = "plugin_triggers"
    node_type: ClassVar[str] = "trigger-plugin"

    subscription_id: str = Field(min_length=1)
    provider_id: str = ""
    """Of the subscription."""
    event_types: tuple[str, ...] = ()
    """Any of these, `*` and `?` as in file names (`invoice.*`); none: all."""
    event_parameters: dict[str, Any] = Field(default_factory=dict)
    """Of the plugin's own filters."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event (`body.data.object.id`, `metadata.event_type`)."""

    def index_key(self, trigger_id: str) -> str:
        """Its subscription."""
        return self.subscription_id

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """By type of event, then by the plugin's filters."""
        event_type = event["metadata"]["event_type"]
        if self.event_types and not any(fnmatchcase(event_type, wanted) for wanted in self.event_types):
            return f"events of type {event_type!r} are not among {', '.join(self.event_types)}"
        if not self.event_parameters:
            return None
        filters = self._filters
        if isinstance(filters, str):
            return filters
        try:
            return filters.refusal(event_type, event["body"])
        except Exception as error:  # of the plugin: it is not to keep the event from other triggers
            why = f"{type(error).__name__}: {error}"
            # The text may have the event in it.
            shown = why if len(why) <= _SHOWN_CHARS else f"{why[:_SHOWN_CHARS]}…"
            return f"the filters of the plugin {self.provider_id} failed: {shown}"

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs

    @classmethod
    def from_node(cls, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """Of a node as Dify has it. An export of Dify names no subscription: one that is the tenant's only
        one at the provider is found where the trigger is configured."""
        if data.get("type") != cls.node_type or "trigger_type" in data:
            return super().from_node(data)
        given = data.get("event_parameters") or {}
        event = data.get("event_name")
        return {
            "subscription_id": data.get("subscription_id") or "",
            "provider_id": data.get("provider_id") or "",
            "event_types": [event] if event else [],
            "event_parameters": {
                name: value for name, one in given.items() if (value := _constant(one)) not in (None, "", [])
            },
        }

    @cached_property
    def _filters(self) -> EventFilters | str:
        """The plugin's; why there are none where another version of it is installed here, or none."""
        plugin = find_plugin(self.provider_id)
        if plugin is None:
            return f"no plugin for {self.provider_id!r} is installed on this worker"
        try:
            return plugin.Filters.model_validate(self.event_parameters)
        except ValidationError as wrong:
            return f"the plugin {self.provider_id} takes these event_parameters no longer: {wrong}"


def _constant(given: Any) -> Any:
    """Dify has parameters as `{type, value}`."""
    return given.get("value") if isinstance(given, Mapping) and "value" in given else given
