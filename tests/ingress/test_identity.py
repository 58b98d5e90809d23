"""Which deliveries are the same event."""

import hashlib

import pytest

from ingress.identity import (
    CONTENT_WINDOW_MS,
    DELIVERY_WINDOW_MS,
    content_identity,
    delivery_id,
    window_ms,
)

LINE = {"method": "GET", "path": "/x", "query": {"a": "1"}}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"webhook-id": "msg_1"}, "msg_1"),
        (
            {"x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
            "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        ),
        ({"idempotency-key": "k"}, "k"),
        ({"ce-id": "1", "ce-source": "/shop"}, "/shop 1"),
        ({"ce-id": "1"}, None),
        ({"webhook-id": "msg_1", "x-github-delivery": "d", "idempotency-key": "k"}, "msg_1"),
        ({"webhook-id": ""}, None),
    ],
)
def test_delivery_id(headers: dict[str, str], expected: str | None) -> None:
    assert delivery_id(headers) == expected


@pytest.mark.parametrize("given", ["x" * 201, "\u00e9", "\udcff"])
def test_an_id_that_cannot_travel_is_hashed(given: str) -> None:
    digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
    assert delivery_id({"idempotency-key": given}) == digest


def test_equal_json_is_equal_content_however_it_is_written() -> None:
    one, other = {"a": 1, "b": [1, {"c": None}]}, {"b": [1, {"c": None}], "a": 1}
    assert content_identity(one, b"1", LINE) == content_identity(other, b"2", LINE)
    expected = hashlib.sha256(b'{"a":1,"b":[1,{"c":null}]}').hexdigest()
    assert content_identity(one, b"1", LINE) == expected


def test_what_is_no_json_counts_by_its_bytes() -> None:
    assert content_identity("text", b"text", LINE) == hashlib.sha256(b"text").hexdigest()


def test_an_empty_body_counts_by_its_request_line() -> None:
    assert content_identity(None, b"", LINE) == content_identity(None, b"", dict(reversed(LINE.items())))
    assert content_identity(None, b"", LINE) != content_identity(None, b"", {**LINE, "method": "DELETE"})


@pytest.mark.parametrize(
    ("named", "override_s", "expected"),
    [
        (True, None, DELIVERY_WINDOW_MS),
        (False, None, CONTENT_WINDOW_MS),
        (True, 0, 0),
        (False, 1.5, 1500),
    ],
)
def test_window(named: bool, override_s: float | None, expected: int) -> None:
    assert window_ms(named, override_s) == expected
