"""What the tests of the sandbox look at besides its answers."""

import pytest

from tests.streams.executors.sandbox.family import note_others


@pytest.fixture(scope="module", autouse=True)
def _others() -> None:
    """Processes that were there before are none of the sandbox."""
    note_others()
