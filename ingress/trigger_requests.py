"""`/api/v1/triggers/{trigger_id}/requests`: what has come to one trigger, whether or not it started a run.

Read from the run history, so that it is the same whichever process has taken the request, and after restarts.
What was refused at the door (a wrong signature, a body that does not fit) is not there: anybody could fill
the history with it. Its sender has been told why.
"""

from datetime import datetime
from typing import Any

from aiohttp import web

from ingress.auth import CALLER
from ingress.history import Row
from ingress.keys import FEED
from ingress.operation import Operation
from ingress.ownership import find_trigger
from ingress.reading import PAGE_QUERY, history, limit_of, time_of
from ingress.responses import json_answer
from ingress.wire import Answer
from schemas.search import LogFilter


class ReceivedRequest(Answer):
    """An event that has come to the trigger, and what became of it."""

    event_id: str
    trigger_id: str
    """The identity of the event, by which duplicates are known."""
    received_at: datetime
    method: str | None
    """This and the next are of events that came as requests."""
    path: str | None
    source: dict[str, Any] | None
    """`ip` and `user_agent`."""
    headers: dict[str, Any]
    """Without those that prove who has sent it."""
    query: dict[str, Any]
    body: Any
    status: str
    """PENDING, RUNNING, SUCCESS or FAILED; STOPPED where it started nothing."""
    error: str | None
    """Why it started nothing, or failed: the trigger is paused, the workflow is not published, …"""
    workflow_run_id: str | None


class ReceivedRequests(Answer):
    """The newest first."""

    data: list[ReceivedRequest]
    next_cursor: str | None


async def list_all(request: web.Request) -> web.Response:
    """The last ones, also of a trigger that is paused or whose workflow has not been published."""
    definitions, caller = request.app[FEED].definitions, request[CALLER]
    trigger = find_trigger(definitions, caller, request.match_info["trigger_id"])
    chosen = LogFilter(
        app_id=trigger.app_id,
        workflow_id=(trigger.workflow_id,),
        app_trigger_id=trigger.id,
        since=time_of(request, "since"),
        until=time_of(request, "until"),
    )
    page = await history(request).trigger_logs(
        chosen, limit_of(request), request.query.get("cursor"), tenant_id=trigger.tenant_id
    )
    return json_answer(
        ReceivedRequests(data=[_shown(row) for row in page.rows], next_cursor=page.next_cursor)
    )


def _shown(row: Row) -> ReceivedRequest:
    event = row["trigger_data"] or {}
    return ReceivedRequest(
        event_id=row["event_id"],
        trigger_id=row["trigger_id"],
        received_at=row["created_at"],
        method=event.get("method"),
        path=event.get("path"),
        source=event.get("source"),
        headers=event.get("headers") or {},
        query=event.get("query") or {},
        body=event.get("body"),
        status=row["status"],
        error=row["error"],
        workflow_run_id=row["workflow_run_id"],
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/triggers/{trigger_id}/requests",
        handler=list_all,
        summary="List what has come to a trigger",
        tag="triggers",
        answer=ReceivedRequests,
        query=(*PAGE_QUERY,),
        errors=(400, 404),
    ),
)
