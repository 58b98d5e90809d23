"""What can be exported, and which columns it has. Documented in docs/runs.md: a column that is here stays."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ingress.search import Span, Where, matching
from schemas.search import Filter, RunFilter

ColumnKind = Literal["id", "uuid", "text", "json", "plain"]
"""How a column is written: `id` is a text that is empty where there is none, `json` is a text that is JSON,
and `plain` is a number or a time."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One of them: a view, and the order that its rows are in, which is that of the table behind it."""

    name: str
    view: str
    table: str
    time: str
    key: tuple[str, ...]
    """What follows after the tenant and the day. Constant for a row."""
    columns: Mapping[str, ColumnKind]

    def where(self, chosen: Filter, tenant_id: str | None, span: Span) -> Where | None:
        """The rows of that time; None where it is known that there are none.

        With a filter of runs, what belongs to these runs: all of a run has the time of its event.
        """
        found = matching(chosen, tenant_id, span)
        if found is None or not isinstance(chosen, RunFilter) or self.view == "workflow_runs":
            return found
        own = Where(parameters=found.parameters)
        own.lies(tenant_id, self.time, span)
        own.terms.append(f"workflow_run_id IN (SELECT toNullable(id) FROM workflow_runs WHERE {found.sql})")  # noqa: S608
        return own

    def on(self, day: date, found: Where) -> None:
        """Adds that it was on that day, as the table is sorted."""
        found.place.append(f"toDate({self.time}) = {found.value(day.isoformat(), 'Date')}")

    def after(self, last: Mapping[str, str | None], found: Where) -> None:
        """Adds that a row comes after that one. ClickHouse finds its place only if it is spelt out."""
        term = ""
        for name in reversed(self.key):
            value = found.value(last[name] or "", "String" if self.columns[name] == "id" else "UUID")
            beyond = f"{name} > {value}"
            term = f"({beyond} OR {name} = {value} AND {term})" if term else beyond
        found.place.append(term)


RUNS = Kind(
    "runs",
    "workflow_runs",
    "workflow_run_changes",
    "event_at",
    ("app_id", "workflow_id", "id"),
    {
        "id": "uuid",
        "app_id": "id",
        "workflow_id": "id",
        "version": "text",
        "type": "text",
        "triggered_from": "text",
        "status": "text",
        "inputs": "json",
        "outputs": "json",
        "error": "text",
        "elapsed_time": "plain",
        "total_tokens": "plain",
        "total_steps": "plain",
        "exceptions_count": "plain",
        "created_by_role": "text",
        "created_by": "text",
        "created_at": "plain",
        "finished_at": "plain",
        "event_at": "plain",
        "trigger_log_id": "uuid",
        "graph_hash": "text",
    },
)
NODES = Kind(
    "nodes",
    "workflow_node_executions",
    "workflow_node_execution_changes",
    "event_at",
    ("app_id", "workflow_id", "workflow_run_id", "id"),
    {
        "id": "uuid",
        "workflow_run_id": "uuid",
        "app_id": "id",
        "workflow_id": "id",
        "triggered_from": "text",
        "index": "plain",
        "node_id": "text",
        "node_type": "text",
        "title": "text",
        "predecessor_node_id": "text",
        "status": "text",
        "inputs": "json",
        "process_data": "json",
        "outputs": "json",
        "error": "text",
        "elapsed_time": "plain",
        "execution_metadata": "json",
        "created_by_role": "text",
        "created_by": "text",
        "created_at": "plain",
        "finished_at": "plain",
        "event_at": "plain",
    },
)
LOGS = Kind(
    "trigger-logs",
    "workflow_trigger_logs",
    "workflow_trigger_log_changes",
    "created_at",
    ("app_id", "workflow_id", "id"),
    {
        "id": "uuid",
        "app_id": "id",
        "workflow_id": "id",
        "workflow_run_id": "uuid",
        "trigger_type": "text",
        "trigger_id": "text",
        "event_id": "uuid",
        "app_trigger_id": "text",
        "root_node_id": "text",
        "status": "text",
        "error": "text",
        "trigger_data": "json",
        "trigger_metadata": "json",
        "inputs": "json",
        "outputs": "json",
        "queue_name": "text",
        "task_id": "text",
        "retry_count": "plain",
        "elapsed_time": "plain",
        "total_tokens": "plain",
        "created_by_role": "text",
        "created_by": "text",
        "created_at": "plain",
        "triggered_at": "plain",
        "finished_at": "plain",
    },
)
KINDS = {kind.name: kind for kind in (RUNS, NODES, LOGS)}
