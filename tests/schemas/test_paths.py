"""Dotted paths into JSON values."""

import pytest

from schemas.paths import lookup

EVENT = {"method": "POST", "body": {"amount": 120, "commits": [{"id": "c1"}]}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("body.commits.0.id", (True, "c1")),
        ("body.commits.1.id", (False, None)),
        ("body.commits.first", (False, None)),
        ("body.commits.\u00b2", (False, None)),
        ("body.amount.deeper", (False, None)),
        ("method", (True, "POST")),
    ],
)
def test_lookup(path: str, expected: tuple[bool, object]) -> None:
    assert lookup(EVENT, path) == expected
