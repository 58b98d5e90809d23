"""`POST /api/v1/github/webhook`: deliveries of GitHub, for whoever's secret signs them."""

from collections.abc import Iterable

from aiohttp import web

from ingress.connections.paths import GITHUB_PATH
from ingress.deliveries import DeliveryAccepted, accept_all, limit_endpoint, read_delivery, refusals
from ingress.express.request import EventRequest
from ingress.express.response import Ready
from ingress.keys import ACCOUNTS
from ingress.operation import EVENTS, Operation
from ingress.timing import counted
from schemas.models import GitHubConnection
from schemas.triggers.accounts import Account
from schemas.triggers.github import receive_github

_APP = "integration"


@counted
async def receive(request: EventRequest) -> Ready | web.Response:
    """At the common address the app is told by GitHub's headers; other webhooks have one of their own."""
    accounts = _accounts(request)
    delivery = await read_delivery(request)
    with refusals():
        received = receive_github(delivery, accounts)
    return await accept_all(request, delivery, received)


def _accounts(request: EventRequest) -> Iterable[Account]:
    accounts, connection_id = request.app[ACCOUNTS], request.match_info.get("connection_id")
    if connection_id is not None:
        named = accounts.named(GitHubConnection, connection_id)
        limit_endpoint(request, connection_id)
        return [named]
    is_app = request.headers.get("X-GitHub-Hook-Installation-Target-Type") == _APP
    app_id = request.headers.get("X-GitHub-Hook-Installation-Target-ID", "") if is_app else ""
    return accounts.of_app(GitHubConnection, app_id) if app_id else accounts.of_deployment(GitHubConnection)


OPERATIONS = tuple(
    Operation(
        method="POST",
        path=path,
        door=receive,
        summary=summary,
        tag=EVENTS,
        body="*/*",
        answer=DeliveryAccepted,
        status=202,
        also=200,
        errors=errors,
        public=True,
    )
    for path, summary, errors in (
        (GITHUB_PATH, "Deliver an event of a GitHub App", (400, 401, 413)),
        (
            GITHUB_PATH + "/{connection_id}",
            "Deliver an event by one connection to GitHub",
            (400, 401, 404, 413),
        ),
    )
)
