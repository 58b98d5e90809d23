"""`trigger-webhook`, `trigger-schedule`, `trigger-plugin`: what a run begins with instead of a form.

How their events come about is a matter of triggers; here they are the nodes that the events enter by.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from schemas.nodes.base import NodeData, Text, Tolerant
from schemas.variables import ValueType


class Parameter(Tolerant):
    """A value that is taken from the request."""

    name: str = Field(min_length=1)
    type: ValueType = ValueType.STRING
    required: bool = False


_Parameters = Annotated[list[Parameter], BeforeValidator(lambda value: value or [])]


class TriggerWebhookData(NodeData):
    """`data` of a trigger-webhook node."""

    method: Text = "get"
    content_type: Text = "application/json"
    headers: _Parameters = Field(default_factory=list)
    params: _Parameters = Field(default_factory=list)
    body: _Parameters = Field(default_factory=list)


class TriggerScheduleData(NodeData):
    """`data` of a trigger-schedule node."""

    mode: Text = "visual"
    timezone: Text = "UTC"
    cron_expression: Text = ""


class TriggerPluginData(NodeData):
    """`data` of a trigger-plugin node."""

    plugin_id: Text = ""
    provider_id: Text = ""
    event_name: Text = ""
    event_parameters: dict[str, Any] | None = None
