"""`/api/v1/trigger-logs`: what became of events, also of those that started nothing."""

from aiohttp import web

from ingress.auth import CALLER
from ingress.history import LogFilter
from ingress.operation import Operation, Query
from ingress.reading import PAGE_QUERY, history, limit_of, page_answer, time_of
from ingress.records import TriggerLogPage


async def list_all(request: web.Request) -> web.Response:
    """Of the caller's tenant, the newest first."""
    query = request.query
    chosen = LogFilter(
        tenant_id=request[CALLER].tenant_id,
        workflow_id=query.get("workflow_id"),
        app_id=query.get("app_id"),
        status=query.get("status"),
        trigger_type=query.get("trigger_type"),
        event_id=query.get("event_id"),
        workflow_run_id=query.get("workflow_run_id"),
        since=time_of(request, "since"),
        until=time_of(request, "until"),
    )
    return page_answer(await history(request).trigger_logs(chosen, limit_of(request), query.get("cursor")))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/trigger-logs",
        handler=list_all,
        summary="List trigger logs",
        tag="runs",
        answer=TriggerLogPage,
        query=(
            Query("workflow_id", "of this workflow"),
            Query("app_id", "of this app"),
            Query("status", "PENDING, RUNNING, SUCCESS, FAILED or STOPPED"),
            Query("trigger_type", "WEBHOOK, MANUAL, ..."),
            Query("event_id", "of this delivery"),
            Query("workflow_run_id", "of this run"),
            *PAGE_QUERY,
        ),
        errors=(400,),
    ),
)
