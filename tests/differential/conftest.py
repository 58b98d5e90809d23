"""The two engines, started once for all tests here."""

from collections.abc import Iterator

import pytest

from tests.differential.hopline_process import Hopline
from tests.differential.peer_process import PYTHON, Peer


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    """graphon. Tests that ask for it are skipped where it is not installed."""
    if not PYTHON.exists():
        pytest.skip(
            "graphon is not installed: `make differential` does so where it finds Python 3.12 or 3.13"
        )
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="session")
def hopline() -> Iterator[Hopline]:
    """The engine in memory with the real executors."""
    with Hopline() as hopline:
        yield hopline
