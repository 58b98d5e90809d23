"""What the tests of the shell share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.shell_harness import Deployment


@pytest.fixture
def deployment(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Deployment]:
    """Its processes have ended when a test has."""
    deployment = Deployment(broker, topic_prefix, tmp_path)
    deployment.create_topics()
    yield deployment
    deployment.close()
