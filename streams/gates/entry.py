"""Which gates does an event meet on its way to a workflow? Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from schemas.codec import Codec
from schemas.expressions import ExpressionFailed, expression
from schemas.ids import gate_key
from schemas.models import DeployedTrigger, FlowControl
from schemas.paths import lookup
from schemas.triggers.config import Answers, Dependencies
from streams.gates.answers import KIND
from streams.gates.retries import KIND as RETRY
from streams.gates.ticket import Gate, told
from transport.producer import Send

_PER_WORKFLOW = ("rate_limit", "debounce", "batch", "throttle")


def condition_refusal(deployed: DeployedTrigger, event: Mapping[str, Any]) -> str | None:
    """Why the condition of the trigger keeps the event out."""
    condition = deployed.settings.condition
    if not condition:
        return None
    try:
        holds = expression(condition).holds(event)
    except ExpressionFailed as failed:
        return f"the condition of the trigger: {failed}"
    return None if holds else f"the condition of the trigger does not hold: {condition}"


def gates_of(
    deployed: DeployedTrigger, control: FlowControl | None, event: Mapping[str, Any], *, chat: bool
) -> tuple[Gate, ...]:
    """In the order in which the event meets them. Raises `ExpressionFailed`.

    A turn of a conversation is not gathered with others.
    """
    return tuple(_gates(deployed, control, event, chat))


def manual_gates(workflow_id: str, metadata: Mapping[str, Any]) -> tuple[Gate, ...]:
    """Of a start by hand: how often a person may, if the door has said so."""
    interval_s = metadata.get("interval_s")
    if not interval_s:
        return ()
    config = {"limit": 1, "period_s": interval_s}
    return (Gate.of(workflow_id, "rate_limit", f"start by {metadata['initiated_by']}", config),)


def retry_gate(deployed: DeployedTrigger, run_id: str) -> tuple[Gate, ...]:
    """The last one, of the run alone."""
    retry = deployed.settings.retry
    if retry is None:
        return ()
    return (Gate.of(deployed.trigger.workflow_id, RETRY, run_id, _config(retry)),)


def notes(codec: Codec, dependents: Mapping[str, DeployedTrigger], trigger_id: str, tenant_id: str,
          at_us: int, event: Mapping[str, Any]) -> Iterator[Send]:  # fmt: skip
    """Tells the triggers that depend on this one that it has let an event through.

    A trigger whose key the event does not have is told nothing: nothing of it can belong to the event.
    """
    for dependent in dependents.values():
        needed = dependent.settings.depends_on
        if needed is None or dependent.trigger.tenant_id != tenant_id:
            continue
        try:
            key = _dependency_key(needed, trigger_id, event)
        except ExpressionFailed:
            continue
        header = {
            "tenant_id": tenant_id,
            "workflow_id": dependent.trigger.workflow_id,
            "issued_at": at_us,
        }
        payload = {"trigger_id": trigger_id, "window_s": needed.window_s}
        yield told(codec, gate_key(dependent.trigger.id, "depends", key), "NOTE", header, payload)


def _gates(
    deployed: DeployedTrigger, control: FlowControl | None, event: Mapping[str, Any], chat: bool
) -> Iterator[Gate]:
    trigger, needed, answers = deployed.trigger, deployed.settings.depends_on, deployed.settings.answers
    if answers is not None:
        yield Gate.of(trigger.workflow_id, KIND, _key_of_answer(answers, event), _answer(answers, event))
    if needed is not None:
        key = _dependency_key(needed, trigger.id, event)
        yield Gate.of(trigger.id, "depends", key, _config(needed))
    if control is None:
        return
    if control.paused == "hold":
        since = int(control.updated_at.timestamp() * 1e6)
        yield Gate.of(trigger.workflow_id, "hold", "", {"since": since})
    for kind in _PER_WORKFLOW:
        settings = getattr(control, kind)
        if settings is not None and not (chat and kind == "batch"):
            key = expression(settings.key).text(event) if settings.key else ""
            yield Gate.of(trigger.workflow_id, kind, key, _config(settings))


def _key_of_answer(answers: Answers, event: Mapping[str, Any]) -> str:
    try:
        return expression(answers.key).text(event) if answers.key else ""
    except ExpressionFailed:
        return ""


def _answer(answers: Answers, event: Mapping[str, Any]) -> dict[str, Any]:
    body = event.get("body")
    inputs: dict[str, Any] = dict(body) if isinstance(body, Mapping) and not answers.inputs else {}
    for field, path in answers.inputs.items():
        found, value = lookup(event, path)
        if found:
            inputs[field] = value
    try:
        action = expression(answers.action).text(event) if answers.action else ""
    except ExpressionFailed:
        action = ""
    return {
        "look_back_s": answers.look_back_s,
        "otherwise": answers.otherwise,
        "answer": {"inputs": inputs, "action": action},
    }


def _dependency_key(needed: Dependencies, trigger_id: str, event: Mapping[str, Any]) -> str:
    source = needed.keys.get(trigger_id, needed.key)
    return expression(source).text(event) if source else ""


def _config(settings: BaseModel) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude={"key", "keys"})
