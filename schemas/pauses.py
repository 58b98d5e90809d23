"""Pauses: what a run waits for, and what is an answer to that.

The engine writes `execution_metadata.pause` of a node execution that is `paused`; the door reads it there.
`pause_metadata` is that of Dify's WorkflowPause (seed 001), with what a form needs besides.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.forms import FieldFault, fill
from schemas.nodes.start import InputVariable

HUMAN_INPUT_REQUIRED, SCHEDULING_PAUSE = "human_input_required", "scheduling_pause"

PAUSING = ("human-input", "wait")
"""The types of nodes that pause a run."""

PAUSE = "pause"
"""The key in `execution_metadata`."""

Metadata = Mapping[str, Any]
"""type, node_id, node_title, message. Of a human input: timeout_seconds, inputs_schema {name: field without
its name}, correlation_key (what an event that answers may be found by), actions [{id, title, button_style}].
Of a scheduling pause: resume_at (unix seconds) and reason; its only answer is an empty one."""


class Answer(NamedTuple):
    """A form that was filled in."""

    inputs: Mapping[str, Any]
    """One for each field."""
    action: str | None
    """None where the node has no actions."""


class BadAnswer(ValueError):
    """What was sent does not fit: the run goes on waiting."""

    def __init__(self, faults: tuple[FieldFault, ...]) -> None:
        super().__init__("; ".join(f"{fault.field} {fault.why}" for fault in faults))
        self.faults = faults


def read_answer(metadata: Metadata, inputs: Mapping[str, Any], action: str | None) -> Answer:
    """Raises `BadAnswer` with everything that is wrong. Without an action the only one there is counts."""
    schema: Mapping[str, Any] = metadata.get("inputs_schema", {})
    form = [InputVariable.model_validate({**field, "variable": name}) for name, field in schema.items()]
    values, faults = fill(form, inputs)
    unknown = [FieldFault(name, "is no field of the form") for name in inputs if name not in schema]
    known = [entry["id"] for entry in metadata.get("actions", ())]
    if action is None and len(known) == 1:
        action = known[0]
    wrong = []
    if known and action not in known:
        wrong.append(FieldFault("action", f"must be one of {', '.join(known)}"))
    elif action is not None and not known:
        wrong.append(FieldFault("action", "is not asked for"))
    if found := (*faults, *unknown, *wrong):
        raise BadAnswer(found)
    return Answer(values, action)
