"""Sandboxes with small limits: one for each test, or one for a whole module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from streams.executors.sandbox.scripts import Sandbox
from streams.executors.settings import SandboxSettings

SETTINGS = SandboxSettings(pool_size=2, timeout_s=10.0, cpu_s=5, memory_mb=128, temp_mb=1, wait_s=20)
"""Small, but for the time: it must not run out on a machine that is busy with something else."""


@pytest.fixture
def settings() -> SandboxSettings:
    return SETTINGS


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SETTINGS) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_sandbox() -> AsyncIterator[Sandbox]:
    """For modules whose tests run on the module's loop."""
    async with Sandbox(SETTINGS) as sandbox:
        yield sandbox
