"""Which provider a node's name leads to."""

from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT
from streams.executors.errors import NotConfigured
from tests.streams.executors.models.endpoint import models_of, provider

URL = "http://models.test/v1"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("openai", "openai"),
        ("langgenius/openai/openai", "openai"),
        ("langgenius/tongyi/tongyi", "langgenius/tongyi/tongyi"),
        ("tongyi", "langgenius/tongyi/tongyi"),
        ("other/tongyi/tongyi", "langgenius/tongyi/tongyi"),
    ],
)
async def test_by_the_full_name_or_its_last_part(named: str, found: str) -> None:
    async with models_of([provider(URL, "langgenius/tongyi/tongyi"), provider(URL, "openai")]) as models:
        assert models.find(DEFAULT_TENANT, named, "m").provider.name == found


async def test_what_is_missing_is_named() -> None:
    async with models_of([provider(URL, "b"), provider(URL, "a")]) as models:
        with pytest.raises(NotConfigured, match=r"'x/y/z' is not configured \(there are: a, b\).* create z "):
            models.find(DEFAULT_TENANT, "x/y/z", "m")
        with pytest.raises(NotConfigured, match="there are: none"):
            models.find("another tenant", "a", "m")


async def test_the_default_stands_in() -> None:
    async with models_of([provider(URL, "a"), provider(URL, "b", default=True)]) as models:
        assert models.find(DEFAULT_TENANT, "x/y/z", "m").provider.name == "b"
        assert models.find(DEFAULT_TENANT, "a", "m").provider.name == "a"


@pytest.mark.parametrize(
    ("settings", "mode"), [({}, "chat"), ({"m": {"mode": "completion"}}, "completion"),
                           ({"*": {"mode": "completion"}}, "completion"),
                           ({"m": {}, "*": {"mode": "completion"}}, "chat")],
)  # fmt: skip
async def test_the_settings_of_a_model(settings: Any, mode: str) -> None:
    async with models_of([provider(URL, models=settings)]) as models:
        assert models.find(DEFAULT_TENANT, "openai", "m").mode == mode
