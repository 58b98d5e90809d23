"""Providers of events on a free port: the parts of Stripe, GitLab and Microsoft Graph that plugins use."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.oauth_server import OAuthServer, oauth_server

API_KEY = "sk_test_51"
PRIVATE_TOKEN = "glpat-7"


@dataclass
class Providers:
    """What has been created at them, by id."""

    oauth: OAuthServer
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of Stripe, with their secrets."""
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of the GitLab project 7, which is `acme/site` as well."""
    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of Graph."""
    down: bool = False
    validated: list[str] = field(default_factory=list)
    """What endpoints have answered when Graph has asked whose they are."""
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        """Of all of them."""
        return self.oauth.url

    # Stripe -------------------------------------------------------------------------------------------

    async def create_endpoint(self, request: web.Request) -> web.Response:
        if refusal := self._stripe_refusal(request):
            return refusal
        form = await request.post()
        number = next(self.numbers)
        endpoint = {
            "id": f"we_{number}",
            "object": "webhook_endpoint",
            "url": form["url"],
            "enabled_events": [value for name, value in form.items() if name.startswith("enabled_events[")],
            "api_version": form.get("api_version"),
            "secret": f"whsec_{number:032d}",
            "status": "enabled",
        }
        self.endpoints[f"we_{number}"] = endpoint
        return web.json_response(endpoint)

    async def delete_endpoint(self, request: web.Request) -> web.Response:
        if refusal := self._stripe_refusal(request):
            return refusal
        found = self.endpoints.pop(request.match_info["id"], None)
        if found is None:
            return web.json_response({"error": {"type": "invalid_request_error"}}, status=404)
        return web.json_response({"id": found["id"], "object": "webhook_endpoint", "deleted": True})

    def _stripe_refusal(self, request: web.Request) -> web.Response | None:
        if self.down:
            return web.json_response({"error": {"type": "api_error"}}, status=503)
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if key != API_KEY:
            why = f"Invalid API Key provided: {key}"
            said = {"error": {"message": why, "type": "invalid_request_error"}}
            return web.json_response(said, status=401)
        return None

    # GitLab -------------------------------------------------------------------------------------------

    async def create_hook(self, request: web.Request) -> web.Response:
        if refusal := self._gitlab_refusal(request):
            return refusal
        hook = await request.json()
        number = next(self.numbers)
        self.hooks[str(number)] = hook
        shown = {name: value for name, value in hook.items() if name != "token"}
        return web.json_response({"id": number, "project_id": 7, **shown}, status=201)

    async def delete_hook(self, request: web.Request) -> web.Response:
        if refusal := self._gitlab_refusal(request):
            return refusal
        found = self.hooks.pop(request.match_info["id"], None)
        return (
            web.Response(status=204) if found else web.json_response({"message": "404 Not found"}, status=404)
        )

    def _gitlab_refusal(self, request: web.Request) -> web.Response | None:
        if self.down:
            return web.Response(status=502, text="GitLab is not responding")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.oauth.is_good(token) and request.headers.get("PRIVATE-TOKEN") != PRIVATE_TOKEN:
            return web.json_response({"message": "401 Unauthorized"}, status=401)
        if request.match_info["project"] not in ("7", "acme/site"):
            return web.json_response({"message": "404 Project Not Found"}, status=404)
        return None

    # Microsoft Graph ----------------------------------------------------------------------------------

    async def create_subscription(self, request: web.Request) -> web.Response:
        if refusal := self._graph_refusal(request):
            return refusal
        wanted = await request.json()
        token = "Validation: Testing client application reachability & more"
        url = wanted["notificationUrl"]
        async with aiohttp.ClientSession() as session:
            query = {"validationToken": token}
            asked = session.post(url, params=query, headers={"Content-Type": "text/plain; charset=utf-8"})
            async with asked as answer:
                said = await answer.text()
                good = (answer.status, answer.content_type, said) == (200, "text/plain", token)
        self.validated.append(said)
        if not good:
            error = {"code": "ValidationError", "message": "Subscription validation request failed."}
            return web.json_response({"error": error}, status=400)
        number = str(next(self.numbers))
        self.subscriptions[number] = wanted
        return web.json_response(_shown(number, wanted), status=201)

    async def renew_subscription(self, request: web.Request) -> web.Response:
        if refusal := self._graph_refusal(request):
            return refusal
        found = self.subscriptions.get(request.match_info["id"])
        if found is None:
            return web.json_response({"error": {"code": "ResourceNotFound"}}, status=404)
        found |= await request.json()
        return web.json_response(_shown(request.match_info["id"], found))

    async def delete_subscription(self, request: web.Request) -> web.Response:
        if refusal := self._graph_refusal(request):
            return refusal
        found = self.subscriptions.pop(request.match_info["id"], None)
        return web.Response(status=204 if found else 404)

    def _graph_refusal(self, request: web.Request) -> web.Response | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.oauth.is_good(token):
            return None
        said = {"code": "InvalidAuthenticationToken", "message": f"{token} is no good"}
        return web.json_response({"error": said}, status=401)


def _shown(number: str, subscription: dict[str, Any]) -> dict[str, Any]:
    # As Graph writes times: seven digits behind the second.
    end = subscription["expirationDateTime"].replace("Z", ".1234567Z")
    public = {name: value for name, value in subscription.items() if name != "clientState"}
    return {**public, "id": number, "clientState": None, "expirationDateTime": end}


@asynccontextmanager
async def all_providers() -> AsyncIterator[Providers]:
    """With their OAuth server."""
    oauth = OAuthServer()
    providers = Providers(oauth)
    stripe, gitlab, graph = "/v1/webhook_endpoints", "/api/v4/projects/{project}/hooks", "/v1.0/subscriptions"
    more = (
        web.post(stripe, providers.create_endpoint),
        web.delete(stripe + "/{id}", providers.delete_endpoint),
        web.post(gitlab, providers.create_hook),
        web.delete(gitlab + "/{id}", providers.delete_hook),
        web.post(graph, providers.create_subscription),
        web.patch(graph + "/{id}", providers.renew_subscription),
        web.delete(graph + "/{id}", providers.delete_subscription),
    )
    async with oauth_server(*more, state=oauth):
        yield providers
