"""Which workflows does an event start, and what is each of them told? Pure: definitions in, records out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from schemas.codec import Record as AvroRecord
from schemas.ids import conversation_id, trigger_log_id, workflow_run_id
from schemas.models import DRAFT, AppTrigger, AppTriggerStatus, AppTriggerType, Workflow, WorkflowType
from streams.errors import Unroutable
from streams.inputs import event_inputs, map_inputs, map_system
from streams.roots import root_node
from transport.definitions import Definitions

QUEUES = {AppTriggerType.SCHEDULE: "high_priority"}
"""Where the node tasks of a run go, by what started it; else to `default`."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way of an event: to a workflow, or to a reason why nothing was started."""

    workflow: Workflow | None
    trigger: AppTrigger | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A TriggerEvent with what is needed of the record that brought it."""

    event: AvroRecord
    data: Mapping[str, Any]
    task_id: str
    """topic/partition/offset."""


def find_routes(arrival: Arrival, definitions: Definitions) -> list[Route]:
    """Where the event goes. Raises `Unroutable` when nothing knows it."""
    event = arrival.event
    if event["trigger_type"] == AppTriggerType.MANUAL:
        return [_manual_route(event["index_key"] or "", arrival.data, definitions)]
    triggers = definitions.route(event["trigger_type"], event["index_key"] or "")
    routes = [_trigger_route(trigger, definitions) for trigger in triggers]
    if not routes:
        raise Unroutable(f"no trigger of type {event['trigger_type']} has index key {event['index_key']!r}")
    refusal = _refusal(arrival)
    return refused(routes, refusal) if refusal else routes


def start_command(arrival: Arrival, route: Route, log: AvroRecord, now_us: int, offset: int) -> AvroRecord:
    """The RunCommand that starts the workflow of `route`, of which `log` is the trigger log."""
    event, workflow = arrival.event, _known(route)
    system = map_system(arrival.data, _mapping(route))
    if is_chat(workflow):
        given = system.get("conversation_id")
        system["conversation_id"] = str(given or conversation_id(log["workflow_run_id"]))
    return {
        "command_id": f"start/{log['workflow_run_id']}",
        "kind": "START",
        "workflow_run_id": log["workflow_run_id"],
        "tenant_id": workflow.tenant_id,
        "app_id": workflow.app_id,
        "workflow_id": workflow.id,
        "version": workflow.version,
        "workflows_offset": offset,
        "issued_at": now_us,
        "payload": orjson.dumps(
            {
                "inputs": orjson.loads(log["inputs"]),
                "triggered_from": triggered_from(workflow),
                "system": {"user_id": event["created_by"] or "", **system},
            }
        ).decode(),
        "trigger_log": log,
    }


def trigger_log(arrival: Arrival, route: Route, now_us: int) -> AvroRecord:
    """The first state of the log: PENDING for a run that will start, else STOPPED with the reason."""
    event, workflow, trigger = arrival.event, route.workflow, route.trigger
    root = (
        root_node(workflow, event["trigger_type"], trigger.node_id if trigger else "") if workflow else None
    )
    starts = workflow is not None and route.refusal is None
    return {
        "id": trigger_log_id(event["event_id"], workflow.id if workflow else None),
        "revision": 1,
        "tenant_id": event["tenant_id"],
        "app_id": workflow.app_id if workflow else (trigger.app_id if trigger else None),
        "workflow_id": workflow.id if workflow else (trigger.workflow_id if trigger else None),
        "workflow_run_id": run_id(event, _known(route).id) if starts else None,
        "trigger_metadata": orjson.dumps(arrival.data.get("metadata", {})).decode(),
        "trigger_type": event["trigger_type"],
        "trigger_data": event["data"],
        "inputs": orjson.dumps(_inputs(arrival, route, root)).decode(),
        "root_node_id": root,
        "status": "PENDING" if starts else "STOPPED",
        "error": route.refusal,
        "queue_name": QUEUES.get(event["trigger_type"], "default"),
        "task_id": arrival.task_id,
        "created_by_role": event["created_by_role"],
        "created_by": event["created_by"],
        "created_at": event["received_at"],
        "finished_at": None if starts else now_us,
        "trigger_id": event["trigger_id"],
        "event_id": event["event_id"],
        "app_trigger_id": trigger.id if trigger else None,
    }


def is_chat(workflow: Workflow | None) -> bool:
    """Whether its runs are turns of conversations."""
    return workflow is not None and workflow.type is WorkflowType.CHAT


def conversation_in(command: AvroRecord) -> str:
    """The conversation of a run of a chat, from the command that starts it."""
    found: str = orjson.loads(command["payload"])["system"]["conversation_id"]
    return found


def triggered_from(workflow: Workflow | None) -> str:
    """Of its runs: `debugging` for the draft, else `app-run`."""
    return "debugging" if workflow is not None and workflow.version == DRAFT else "app-run"


def run_id(event: AvroRecord, workflow_id: str) -> str:
    """The run that the event starts of the workflow, whoever asks and however often."""
    return workflow_run_id(event["dedup_key"], event["received_at"], workflow_id)


def refused(routes: Iterable[Route], reason: str) -> list[Route]:
    """The same ways, with a reason not to go them."""
    return [Route(route.workflow, route.trigger, reason) for route in routes]


def _manual_route(workflow_id: str, data: Mapping[str, Any], definitions: Definitions) -> Route:
    metadata = data.get("metadata", {})
    # Events of the first release say `draft` and not which version.
    version = metadata.get("version") or (DRAFT if metadata.get("draft") else "")
    if version:
        workflow = definitions.workflows.get(workflow_id, {}).get(version)
    else:
        workflow = definitions.latest.get(workflow_id)
    if workflow is None:
        raise Unroutable(f"workflow {workflow_id!r} is unknown, or has no {version or 'published'} version")
    return Route(workflow)


def _refusal(arrival: Arrival) -> str | None:
    """Why a schedule lets its own time pass. Only the stage of the clock makes events of this type."""
    if arrival.event["trigger_type"] != AppTriggerType.SCHEDULE:
        return None
    reason: str | None = arrival.data["metadata"].get("refusal")
    return reason


def _trigger_route(trigger: AppTrigger, definitions: Definitions) -> Route:
    workflow = definitions.latest.get(trigger.workflow_id)
    if workflow is None:
        return Route(None, trigger, f"workflow {trigger.workflow_id} has no published version")
    if trigger.status is AppTriggerStatus.PAUSED:
        return Route(workflow, trigger, "the trigger is paused")
    return Route(workflow, trigger)


def _inputs(arrival: Arrival, route: Route, root: str | None) -> dict[str, Any]:
    if route.workflow is None:
        return {}
    if root is not None:
        return event_inputs(arrival.data)
    return map_inputs(arrival.data, route.workflow.user_input_form(), _mapping(route))


def _mapping(route: Route) -> Mapping[str, str]:
    mapping: Mapping[str, str] = route.trigger.config.get("inputs", {}) if route.trigger else {}
    return mapping


def _known(route: Route) -> Workflow:
    if route.workflow is None:
        raise Unroutable(route.refusal or "no workflow")
    return route.workflow
