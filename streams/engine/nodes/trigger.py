"""trigger-webhook, trigger-schedule, trigger-plugin: the event that began the run, as variables."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.nodes.trigger import Parameter, TriggerPluginData, TriggerScheduleData, TriggerWebhookData
from schemas.variables import coerce
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import INPUTS, Pool

_WHOLE_BODIES = frozenset({"text/plain", "application/octet-stream"})

_Values = Callable[[Mapping[str, Any]], dict[str, Any]]
"""The event -> its own variables."""


@dataclass(frozen=True, slots=True)
class TriggerNode:
    """Its outputs are the variables of the event, and those of the system as `sys.<name>`."""

    values: _Values

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`."""
        event = pool.get(INPUTS, {})
        outputs = self.values(event)
        for name, value in pool["sys"].items():
            outputs[f"sys.{name}"] = value
        return Outcome(event, outputs)


def compile_trigger_webhook(data: TriggerWebhookData) -> TriggerNode:
    """Headers, query and body by their names, the request as a whole as `_webhook_raw`.

    As in Dify, hyphens in the name of a header become underscores, and what is not there is null.
    """
    whole_body = data.content_type.partition(";")[0].strip().lower() in _WHOLE_BODIES

    def values(event: Mapping[str, Any]) -> dict[str, Any]:
        body = event.get("body")
        outputs = {
            **{p.name.replace("-", "_"): _typed(p, _header(event, p.name)) for p in data.headers},
            **_taken(data.params, _members(event.get("query")), event),
            **({p.name: body for p in data.body} if whole_body else _taken(data.body, _members(body), event)),
        }
        return {**outputs, "_webhook_raw": dict(event)}

    return TriggerNode(values)


def compile_trigger_schedule(_: TriggerScheduleData) -> TriggerNode:
    """What the schedule gives."""
    return TriggerNode(dict)


def compile_trigger_plugin(_: TriggerPluginData) -> TriggerNode:
    """The members of the event's body."""
    return TriggerNode(lambda event: dict(_members(event.get("body")) or event))


def _taken(
    parameters: Iterable[Parameter], members: Mapping[str, Any], event: Mapping[str, Any]
) -> dict[str, Any]:
    """A manual start gives the values by their names alone."""
    return {p.name: _typed(p, members.get(p.name, event.get(p.name))) for p in parameters}


def _header(event: Mapping[str, Any], name: str) -> Any:
    headers = {key.lower().replace("_", "-"): value for key, value in _members(event.get("headers")).items()}
    return headers.get(name.lower().replace("_", "-"), event.get(name))


def _typed(parameter: Parameter, value: Any) -> Any:
    """Texts of a query or a form in their type; what does not fit stays, as in Dify."""
    if value is None:
        return None
    try:
        return coerce(parameter.type, value)
    except ValueError:
        return value


def _members(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
