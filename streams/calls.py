"""Workflows called as tools: from a tool node to the run that stands for it. See docs/adr/0017.

The executor of the node starts the run and gives no result. The engine gives it when that run ends
(`streams.returns`), so that nothing waits in between: neither a worker nor one of its slots.
"""

import orjson

from schemas.codec import Record
from schemas.form_schema import form_schema
from schemas.ids import called_run_id, now_us
from schemas.models import DRAFT, ToolProvider, Workflow, WorkflowType
from schemas.nodes.start import InputVariable
from streams.executors.catalog import Catalog
from streams.executors.errors import NotConfigured
from streams.executors.outcome import NodeCall
from streams.executors.tools.arguments import fit_arguments
from streams.executors.tools.errors import ToolRuntimeInvocationError
from streams.executors.tools.executor import names_of, tool_info
from streams.executors.tools.providers import find_provider
from streams.offload import Owner, packed
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.values import Upload


class WorkflowCalls:
    """Starts the runs. Used by the executor stage."""

    def __init__(self, feed: DefinitionsFeed, catalog: Catalog, max_depth: int) -> None:
        """`max_depth`: calls within calls."""
        self._feed = feed
        self._catalog = catalog
        self._max_depth = max_depth

    def provider(self, call: NodeCall) -> ToolProvider | None:
        """The workflow that the node calls; None where it calls something else, or nothing that there is."""
        if call.node_type != "tool":
            return None
        try:
            found = find_provider(self._catalog, call.tenant_id, names_of(call.config))
        except NotConfigured:
            return None  # its executor says so
        return found if found.kind == "workflow" else None

    def start(self, provider: ToolProvider, call: NodeCall, task: Record, uploads: list[Upload]) -> Record:
        """The command that starts the run, of the latest version; adds to `uploads`.

        Raises `NotConfigured`, `ToolParameterError`, `ToolRuntimeInvocationError`.
        """
        workflow = self._workflow(provider)
        depth = task["call_depth"] + 1
        if depth > self._max_depth:
            raise ToolRuntimeInvocationError(f"workflows call each other more than {self._max_depth} deep")
        fields = [InputVariable.model_validate(one) for one in workflow.user_input_form()]
        run_id = called_run_id(call.execution_id)
        caller = {
            **{name: task[name] for name in ("workflow_run_id", "app_id", "workflow_id", "version")},
            "node_execution_id": call.execution_id,
            "depth": depth,
            "traceparent": call.traceparent,
            "tool_info": tool_info(call.config),
        }
        payload = {
            "inputs": fit_arguments(form_schema(fields), call.inputs),
            "triggered_from": "debugging" if task["version"] == DRAFT else "app-run",
            "caller": caller,
        }
        return {
            "command_id": f"start/{run_id}",
            "kind": "START",
            "workflow_run_id": run_id,
            "tenant_id": call.tenant_id,
            "app_id": workflow.app_id,
            "workflow_id": workflow.id,
            "version": workflow.version,
            "workflows_offset": self._feed.offset(WORKFLOWS),
            "issued_at": now_us(),
            "payload": packed(orjson.dumps(payload).decode(), Owner(call.tenant_id, run_id), uploads),
        }

    def _workflow(self, provider: ToolProvider) -> Workflow:
        found = self._feed.definitions.latest.get(provider.workflow_id or "")
        if found is None or found.tenant_id != provider.tenant_id:
            raise NotConfigured(
                f"tool provider {provider.name!r} is workflow {provider.workflow_id}, of which no version is"
                " published"
            )
        if found.type != WorkflowType.WORKFLOW:
            raise NotConfigured(f"tool provider {provider.name!r} is a chat, which no node can call")
        return found
