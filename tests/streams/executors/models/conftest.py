"""The endpoint, one for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.streams.executors.models.endpoint import Endpoint, running_endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with running_endpoint() as endpoint:
        yield endpoint
