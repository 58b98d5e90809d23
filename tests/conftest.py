"""Fixtures of the whole suite: the one broker that all integration tests share."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from sinks.migrate import migrate
from tests.shared_broker import shared_broker
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

# How long an example takes says nothing on a machine with other work to do.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# Java's optimizing compiler pays after minutes of load; the brokers here live for seconds.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

_LONGEST_FIRST = ("test_soak", "test_crash", "test_up", "test_sources", "test_shell_faults")
"""Files that take long: begun last, one of them would go on when everything else has ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files in front, then all that wait for processes, and leaves the order otherwise."""

    def rank(item: pytest.Item) -> int:
        longest = item.path.stem in _LONGEST_FIRST
        waits = item.get_closest_marker("broker") is not None
        return _LONGEST_FIRST.index(item.path.stem) if longest else len(_LONGEST_FIRST) + (not waits)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of the embedded broker, started when the first test asks for it.

    The processes of `-n` share it. Tests keep apart by `topic_prefix`, and leave the broker alone: those
    that stop one start their own.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "broker"
    folder.mkdir(exist_ok=True)
    with shared_broker(folder) as servers:
        yield servers


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
    """An empty database of the embedded engine, for tests that change what tables there are."""
    connected = await _connected(clickhouse_directory, _new_database())
    yield connected
    await connected.execute(f"DROP DATABASE {connected.database} SYNC")
    await connected.close()


@pytest.fixture(scope="session")
def emptied_databases() -> list[str]:
    """Those with all tables that no test uses now."""
    return []


@pytest.fixture
async def database(clickhouse_directory: Path, emptied_databases: list[str]) -> AsyncIterator[ClickHouse]:
    """A database of the embedded engine with all tables, which are empty: for tests that leave these as they
    are. One test has it after the other, since to make the tables takes longer than most of them."""
    name = emptied_databases.pop() if emptied_databases else _new_database()
    connected = await _connected(clickhouse_directory, name)
    await migrate(connected)
    yield connected
    for (table,) in (await connected.query(_FILLED)).rows:
        await connected.execute(f"TRUNCATE TABLE `{table}` SYNC")
    await connected.close()
    emptied_databases.append(name)


_FILLED = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND total_rows > 0 AND name != 'schema_migrations'
"""


def _new_database() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


async def _connected(directory: Path, database: str) -> ClickHouse:
    dsn = SecretStr(f"chdb://{directory}?database={database}")
    return await ClickHouse.connect(ClickHouseSettings(dsn=dsn))
