"""Selectors lead to values, into objects and to attributes of files."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from streams.engine.pool import MISSING, getter, or_none

FILE = {"dify_model_identity": FILE_IDENTITY, "filename": "a.txt", "size": 3}
POOL = {"n": {"o": {"a": {"b": 1}, "none": None, "l": [5], "f": FILE}, "f": FILE, "s": "text", "none": None}}


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        (["n", "s"], "text"),
        (["n", "none"], None),
        (["n", "o", "a"], {"b": 1}),
        (["n", "o", "a", "b"], 1),
        (["n", "o", "none"], None),
        (["n", "f", "name"], "a.txt"),
        (["n", "f", "size"], 3),
        (["n", "f", "related_id"], None),
        (["n", "f", "colour"], MISSING),
        (["n", "gone"], MISSING),
        (["gone", "s"], MISSING),
        (["n", "s", "x"], MISSING),
        (["n", "none", "x"], MISSING),
        (["n", "o", "gone"], MISSING),
        (["n", "o", "l", "0"], MISSING),
        (["n", "o", "a", "b", "c"], MISSING),
        (["n"], MISSING),
        ([], MISSING),
    ],
)
def test_get(selector: list[str], value: Any) -> None:
    found = getter(selector)(POOL)
    assert found is value or found == value
    assert or_none(found) == (None if value is MISSING else value)
