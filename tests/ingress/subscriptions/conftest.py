"""An ingress that may reach the providers on this machine, and its caller."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp.test_utils import TestClient

from schemas.codec import SingleObjectCodec
from tests.ingress.stand_ins import AUTHORIZED, Client, Server, StandIns, assemble, new_settings
from tests.providers import API_KEY, Providers, all_providers


@dataclass
class Caller:
    """Calls an ingress."""

    client: Client
    stand_ins: StandIns
    providers: Providers

    async def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """(status, JSON; text where it is none), under /api/v1."""
        made = self.client.request(
            method, f"/api/v1{path}", json=body, headers=headers or AUTHORIZED, allow_redirects=False
        )
        async with made as answer:
            is_json = answer.content_type.endswith("json")
            return answer.status, await answer.json() if is_json else await answer.text()

    async def subscribe(self, **changes: Any) -> Any:
        """To Stripe, by API key."""
        body = {
            "name": "payments",
            "provider": "stripe",
            "parameters": {"enabled_events": ["invoice.paid"], "api_url": self.providers.url},
            "credentials": {"api_key": API_KEY},
            **changes,
        }
        status, made = await self.call("POST", "/subscriptions", body)
        assert status == 201, made
        return made

    async def agree(self, authorize_url: str) -> tuple[int, str]:
        """What a browser does: to the provider, and back without any credentials."""
        async with self.client.session.get(authorize_url, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            back = urlsplit(answer.headers["Location"])
        async with self.client.get(f"{back.path}?{back.query}") as answer:
            return answer.status, await answer.text()

    def commands(self) -> list[str]:
        """Kinds of what the stage of subscriptions was told."""
        codec, sent = SingleObjectCodec(), self.stand_ins.sent.sends
        values = [one.value for one in sent if one.topic == "subscription.commands"]
        return [codec.decode("SubscriptionCommand", value)["kind"] for value in values]


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    async with all_providers() as providers:
        yield providers


@pytest.fixture
async def client(stand_ins: StandIns, providers: Providers) -> AsyncIterator[Client]:
    settings = new_settings(egress_allow="127.0.0.1", subscriptions_per_tenant=3)
    async with TestClient(Server(assemble(stand_ins, settings))) as client:
        yield client


@pytest.fixture
def caller(client: Client, stand_ins: StandIns, providers: Providers) -> Caller:
    return Caller(client, stand_ins, providers)
