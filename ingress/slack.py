"""`POST /api/v1/slack/events`: events, interactions and slash commands of Slack."""

import asyncio
from collections.abc import Iterable

from aiohttp import web

from ingress.connections.paths import SLACK_PATH
from ingress.deliveries import accept_all, limit_endpoint, read_delivery, refusals
from ingress.express.request import EventRequest
from ingress.express.response import Ready
from ingress.keys import ACCOUNTS
from ingress.operation import EVENTS, Operation
from ingress.timing import counted
from schemas.models import SlackConnection
from schemas.triggers.accounts import Account
from schemas.triggers.slack_requests import receive_slack

ANSWER_S = 2.5
"""Slack takes what has no answer after three seconds for lost, and says so to whoever has given a command."""

_MAX_NAMELESS_BYTES = 2048
"""Only challenges do not name their app. They are short, and held against the secrets of all connections: a
stranger must not have that done for much more."""


@counted
async def receive(request: EventRequest) -> Ready | web.Response:
    """200 once the event is durable; 503 before Slack's three seconds are over, for it to be sent again."""
    async with asyncio.timeout(ANSWER_S):
        own = _named(request)
        delivery = await read_delivery(request)

        def candidates(app_id: str) -> Iterable[Account]:
            accounts = request.app[ACCOUNTS]
            if own is not None:
                return [own]
            if not app_id and len(delivery.body) > _MAX_NAMELESS_BYTES:
                return accounts.of_deployment(SlackConnection)
            return accounts.of_app(SlackConnection, app_id)

        with refusals():
            received = receive_slack(delivery, candidates)
        return await accept_all(request, delivery, received)


def _named(request: EventRequest) -> Account | None:
    """The connection whose address it is, at one of those."""
    connection_id = request.match_info.get("connection_id")
    if connection_id is None:
        return None
    named = request.app[ACCOUNTS].named(SlackConnection, connection_id)
    limit_endpoint(request, connection_id)
    return named


OPERATIONS = tuple(
    Operation(
        method="POST",
        path=path,
        door=receive,
        summary=summary,
        tag=EVENTS,
        body="*/*",
        answer="application/json",
        errors=errors,
        public=True,
    )
    for path, summary, errors in (
        (SLACK_PATH, "Send an event of a Slack app", (400, 401, 413)),
        (SLACK_PATH + "/{connection_id}", "Send an event by one connection to Slack", (400, 401, 404, 413)),
    )
)
