"""The soak, two minutes of it."""

from pathlib import Path

import pytest

from bench.blows import Rhythm
from bench.soak import Soak, soak

pytestmark = pytest.mark.broker


async def test_two_minutes_of_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    found = await soak(Soak(120, Rhythm(seed=3)), tmp_path / "soak", print)
    assert found.clean, f"{found} {found.examples}"
    assert found.acknowledged > 20_000
    assert found.repeats > 500
