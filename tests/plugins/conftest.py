"""Providers on this machine, and what a plugin is given of a subscription."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from schemas.plugins.contract import OpenSubscription, TriggerPlugin
from schemas.plugins.credentials import CredentialType
from schemas.triggers.delivery import Delivery
from tests.providers import Providers, all_providers
from transport.plugin_http import PluginHttp

NOW_S = 1_800_000_000.0

NewSubscription = Callable[..., OpenSubscription]


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    async with all_providers() as providers:
        yield providers


@pytest.fixture
async def http() -> AsyncIterator[PluginHttp]:
    async with aiohttp.ClientSession() as session:
        yield PluginHttp(session)


def opened(plugin: TriggerPlugin, parameters: dict[str, Any], **fields: Any) -> OpenSubscription:
    """A subscription with its secrets in the clear."""
    given: dict[str, Any] = {
        "id": "s1",
        "endpoint": "http://hopline.test/triggers/plugin/e",
        "credential_type": CredentialType.API_KEY,
        "credentials": {},
        **fields,
    }
    return OpenSubscription(parameters=plugin.Parameters.model_validate(parameters), **given)


def delivery(body: bytes, headers: dict[str, str] | None = None, **query: str) -> Delivery:
    """A request at that time."""
    return Delivery("POST", "/triggers/plugin/e", headers or {}, query, body, NOW_S)
