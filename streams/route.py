"""Which workflows does an event start, and what is each of them told? Pure: definitions in, records out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from schemas.codec import Record as AvroRecord
from schemas.expressions import ExpressionFailed
from schemas.ids import conversation_id, trigger_log_id, workflow_run_id
from schemas.models import (
    DRAFT,
    AppTriggerStatus,
    DeployedTrigger,
    FlowControl,
    TriggerHead,
    WorkflowHead,
    WorkflowType,
)
from schemas.resumption import Resumption
from schemas.triggers.kinds import MANUAL
from streams.engine.commands import Start
from streams.errors import Unroutable
from streams.gates.entry import condition_refusal, gates_of, manual_gates
from streams.gates.ticket import Gate
from streams.inputs import event_inputs, map_inputs, map_system
from streams.roots import root_node
from transport.definitions import Definitions


class Route(NamedTuple):
    """One way of an event: to a workflow, or to a reason why nothing was started."""

    workflow: WorkflowHead | None
    deployed: DeployedTrigger | None = None
    refusal: str | None = None
    gates: tuple[Gate, ...] = ()
    """What the event has to pass before it starts a run."""

    @property
    def trigger(self) -> TriggerHead | None:
        """Which configured trigger leads this way, if any."""
        return self.deployed.trigger if self.deployed else None


class Arrival(NamedTuple):
    """A TriggerEvent with what is needed of the record that brought it."""

    event: AvroRecord
    data: Mapping[str, Any]
    task_id: str
    """topic/partition/offset."""


def find_routes(arrival: Arrival, definitions: Definitions) -> list[Route]:
    """Where the event goes: looked up by its index key, then held against the filters of each trigger found.

    At least one, so that an event that nothing wants leaves a log as well. Raises `Unroutable` for a manual
    start of a workflow that there is not.
    """
    event = arrival.event
    kind, index_key = event["trigger_type"], event["index_key"] or ""
    if kind == MANUAL:
        return [_manual_route(index_key, arrival.data, definitions)]
    found = definitions.route(event["tenant_id"], kind, index_key)
    routes = [_trigger_route(deployed, arrival.data, definitions) for deployed in found]
    return routes or [Route(None, refusal=_unwanted(event["tenant_id"], kind, index_key, definitions))]


def start_of(arrival: Arrival, route: Route, log: AvroRecord, now_us: int) -> Start:
    """What starts the workflow of `route`, of which `log` is the trigger log."""
    event, workflow, run_id = arrival.event, _known(route), log["workflow_run_id"]
    system = {"user_id": event["created_by"] or "", **map_system(arrival.data, _mapping(route))}
    if is_chat(workflow):
        system["conversation_id"] = str(system.get("conversation_id") or conversation_id(run_id))
    return Start(
        command_id=f"start/{run_id}",
        run_id=run_id,
        tenant_id=workflow.tenant_id,
        app_id=workflow.app_id,
        workflow_id=workflow.id,
        version=workflow.version,
        issued_at=now_us,
        inputs=orjson.loads(log["inputs"]),
        triggered_from=triggered_from(workflow),
        system=system,
        trigger_log=log,
        resumption=_resumption(arrival),
    )


def start_command(start: Start, log: AvroRecord, offset: int) -> AvroRecord:
    """The RunCommand that says so, with `log` as its trigger log."""
    payload = {"inputs": start.inputs, "triggered_from": start.triggered_from, "system": start.system}
    if start.resumption is not None:
        payload["resumption"] = start.resumption
    return {
        "command_id": start.command_id,
        "kind": "START",
        "workflow_run_id": start.run_id,
        "tenant_id": start.tenant_id,
        "app_id": start.app_id,
        "workflow_id": start.workflow_id,
        "version": start.version,
        "workflows_offset": offset,
        "issued_at": start.issued_at,
        "payload": orjson.dumps(payload).decode(),
        "trigger_log": log,
    }


def trigger_log(arrival: Arrival, route: Route, now_us: int) -> AvroRecord:
    """The first state of the log: PENDING for a run that will start, else STOPPED with the reason."""
    event, workflow, trigger = arrival.event, route.workflow, route.trigger
    root = root_node(workflow, event["trigger_type"], _node_id(arrival, trigger)) if workflow else None
    starts = workflow is not None and route.refusal is None
    return {
        "id": trigger_log_id(event["event_id"], _way(route)),
        "revision": 1,
        "tenant_id": event["tenant_id"],
        "app_id": workflow.app_id if workflow else (trigger.app_id if trigger else None),
        "workflow_id": workflow.id if workflow else (trigger.workflow_id if trigger else None),
        "workflow_run_id": run_id(event, route) if starts else None,
        "trigger_metadata": orjson.dumps(arrival.data.get("metadata", {})).decode(),
        "trigger_type": event["trigger_type"],
        "trigger_data": event["data"],
        "inputs": orjson.dumps(_inputs(arrival, route, root)).decode(),
        "root_node_id": root,
        "status": "PENDING" if starts else "STOPPED",
        "error": route.refusal,
        "queue_name": route.deployed.settings.queue if route.deployed else "default",
        "task_id": arrival.task_id,
        "created_by_role": event["created_by_role"],
        "created_by": event["created_by"],
        "created_at": event["received_at"],
        "finished_at": None if starts else now_us,
        "trigger_id": event["trigger_id"],
        "event_id": event["event_id"],
        "app_trigger_id": trigger.id if trigger else None,
    }


def _resumption(arrival: Arrival) -> Resumption | None:
    """Which run the one that begins goes on with. Only the API of the deployment may say so."""
    return arrival.data.get("resumption") if arrival.event["trigger_type"] == MANUAL else None


def is_chat(workflow: WorkflowHead | None) -> bool:
    """Whether its runs are turns of conversations."""
    return workflow is not None and workflow.type is WorkflowType.CHAT


def triggered_from(workflow: WorkflowHead | None) -> str:
    """Of its runs: `debugging` for the draft, else `app-run`."""
    return "debugging" if workflow is not None and workflow.version == DRAFT else "app-run"


def run_id(event: AvroRecord, route: Route) -> str:
    """The run that the event starts on that way, whoever asks and however often."""
    return workflow_run_id(event["dedup_key"], event["received_at"], _way(route) or "")


def refused(route: Route, reason: str) -> Route:
    """The same way, with a reason not to go it."""
    return Route(route.workflow, route.deployed, reason)


def _manual_route(workflow_id: str, data: Mapping[str, Any], definitions: Definitions) -> Route:
    metadata = data.get("metadata", {})
    # Events of the first release say `draft` and not which version.
    version = metadata.get("version") or (DRAFT if metadata.get("draft") else "")
    if version:
        workflow = definitions.versions(workflow_id).head(version)
    else:
        workflow = definitions.latest.head(workflow_id)
    if workflow is None:
        raise Unroutable(f"workflow {workflow_id!r} is unknown, or has no {version or 'published'} version")
    return Route(workflow, gates=manual_gates(workflow_id, metadata))


def _unwanted(tenant_id: str, kind: str, index_key: str, definitions: Definitions) -> str:
    idle = definitions.undeployed.first(tenant_id, kind, index_key)
    if idle is not None:
        return f"the trigger {idle} of type {kind} has index key {index_key!r}, but is not deployed"
    return f"no trigger of type {kind} has index key {index_key!r}"


def _trigger_route(deployed: DeployedTrigger, data: Mapping[str, Any], definitions: Definitions) -> Route:
    trigger = deployed.trigger
    workflow = definitions.latest.head(trigger.workflow_id)
    if workflow is None:
        return Route(None, deployed, f"workflow {trigger.workflow_id} has no published version")
    control = definitions.flow_controls.get(trigger.workflow_id)
    refusal = _refusal(deployed, control, data)
    if refusal is not None:
        return Route(workflow, deployed, refusal)
    try:
        return Route(workflow, deployed, None, gates_of(deployed, control, data, chat=is_chat(workflow)))
    except ExpressionFailed as failed:
        return Route(workflow, deployed, f"the event has not the key that it is to be counted by: {failed}")


def _refusal(deployed: DeployedTrigger, control: FlowControl | None, data: Mapping[str, Any]) -> str | None:
    if deployed.trigger.status is AppTriggerStatus.PAUSED:
        return "the trigger is paused"
    if control is not None and control.paused == "ignore":
        return "the workflow is paused"
    return deployed.settings.refusal(data) or condition_refusal(deployed, data)


def _inputs(arrival: Arrival, route: Route, root: str | None) -> dict[str, Any]:
    if route.workflow is None:
        return {}
    if root is not None:
        return event_inputs(arrival.data)
    return map_inputs(arrival.data, route.workflow.inputs, _mapping(route))


def _mapping(route: Route) -> Mapping[str, str]:
    return route.deployed.settings.mapping() if route.deployed else {}


def _node_id(arrival: Arrival, trigger: TriggerHead | None) -> str:
    """The node that the trigger names, or the log whose event is told again."""
    return trigger.node_id if trigger else str(arrival.data.get("metadata", {}).get("root_node_id") or "")


def _way(route: Route) -> str | None:
    """Tells the ways of one event apart: by their workflows, and by triggers that look at the same events."""
    if route.workflow is None and route.deployed is None:
        return None
    workflow_id = route.workflow.id if route.workflow else ""
    if route.deployed is None or route.deployed.trigger.is_alone:
        return workflow_id
    return f"{workflow_id}/{route.deployed.trigger.id}"


def _known(route: Route) -> WorkflowHead:
    if route.workflow is None:
        raise Unroutable(route.refusal or "no workflow")
    return route.workflow
