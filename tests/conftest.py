"""Fixtures of the whole suite: the one broker that all integration tests share."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

# How long an example takes says nothing on a machine with other work to do.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_LONGEST_FIRST = ("test_soak", "test_crash")
"""Files of minutes: begun last, they would keep one process busy when the other has ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files in front, and leaves the order otherwise."""
    items.sort(key=lambda item: item.path.stem not in _LONGEST_FIRST)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of the embedded broker, started when the first test asks for it.

    Tests keep apart by `topic_prefix`, and leave the broker alone: those that stop one start their own.
    """
    embedded = EmbeddedBroker(BrokerSettings(data_dir=tmp_path_factory.mktemp("broker"), port=0))
    with asyncio.Runner() as runner:
        runner.run(embedded.start(print))
        try:
            yield embedded.bootstrap_servers
        finally:
            runner.run(embedded.stop())


@pytest.fixture
def topic_prefix() -> str:
    """What the topics, groups and transactional ids of one test begin with."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture(scope="session")
def clickhouse_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the one ClickHouse engine that this process can have."""
    return tmp_path_factory.mktemp("clickhouse")


@pytest.fixture
async def clickhouse(clickhouse_directory: Path) -> AsyncIterator[ClickHouse]:
    """An empty database of the embedded engine."""
    database = f"t{uuid.uuid4().hex[:10]}"
    dsn = SecretStr(f"chdb://{clickhouse_directory}?database={database}")
    connected = await ClickHouse.connect(ClickHouseSettings(dsn=dsn))
    yield connected
    await connected.execute(f"DROP DATABASE {database} SYNC")
    await connected.close()
