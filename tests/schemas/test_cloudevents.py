"""CloudEvents over HTTP: the three modes, and everything that is wrong with what is none."""

import base64
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict

from schemas.cloudevents import MAX_BATCH, CloudEvent, NoCloudEvent, UnknownFormat, read_events

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "type": "com.example.order.created",
    "source": "/orders",
    "id": "A-1",
}
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def read(content_type: str | None, body: Any, **headers: str) -> list[CloudEvent]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    given = CIMultiDict({"Content-Type": content_type} if content_type else {})
    given.extend({name.replace("_", "-"): value for name, value in headers.items()})
    return read_events(given, raw)


def binary(content_type: str | None, body: bytes, **attributes: str) -> CloudEvent:
    given = {**EVENT, **attributes}
    [event] = read(content_type, body, **{f"CE_{name}": value for name, value in given.items()})
    return event


def problems(content_type: str | None, body: Any, **headers: str) -> dict[str, str]:
    with pytest.raises(NoCloudEvent) as raised:
        read(content_type, body, **headers)
    return dict(raised.value.problems)


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("application/json", b'{"n": 1}', {"n": 1}),
        ("application/vnd.x+json; charset=utf-8", b"[1]", [1]),
        ("text/plain; charset=iso-8859-1", b"gr\xfcn", "grün"),
        ("application/xml", b"<a/>", "<a/>"),
        (None, b"", None),
        (None, b'"x"', "x"),
    ],
)
def test_binary_mode(content_type: str | None, body: bytes, data: Any) -> None:
    event = binary(content_type, body)
    assert event.data == data
    assert event.attributes.datacontenttype == content_type
    assert (event.attributes.id, event.attributes.source) == ("A-1", "/orders")


def test_other_bytes_are_kept_as_base64() -> None:
    event = binary("image/png", b"\x89PNG")
    assert event.data == {
        "encoding": "base64", "content_type": "image/png", "size": 4,
        "data": base64.b64encode(b"\x89PNG").decode(),
    }  # fmt: skip


def test_headers_are_percent_encoded() -> None:
    """HTTP Protocol Binding, section 3.1.3.2, with its example."""
    event = binary("text/plain", b"x", subject="Euro%20%E2%82%AC%20%F0%9F%98%80", purpose='"a \\"b\\""')
    assert event.attributes.subject == "Euro € 😀"
    assert event.attributes.model_extra == {"purpose": 'a "b"'}


def test_structured_mode() -> None:
    given = {**EVENT, "subject": "A-1", "time": "2026-01-02T03:04:05.678Z", "retries": 3, "urgent": True,
             "dataschema": "https://example.com/order.json", "data": {"n": 1}, "comment": None}  # fmt: skip
    [event] = read(f"{STRUCTURED}; charset=UTF-8", given)
    assert event.data == {"n": 1}
    assert event.attributes.model_dump(exclude_none=True) == {
        name: value for name, value in given.items() if name not in ("data", "comment")
    }


@pytest.mark.parametrize(
    ("content_type", "raw", "data"),
    [("application/json", b'{"n":1}', {"n": 1}), ("text/plain", b"x", "x"), (None, b"1", 1)],
)
def test_data_as_base64(content_type: str | None, raw: bytes, data: Any) -> None:
    given = {**EVENT, "datacontenttype": content_type, "data_base64": base64.b64encode(raw).decode()}
    [event] = read(STRUCTURED, given)
    assert event.data == data


def test_batched_mode() -> None:
    events = read(BATCH, [EVENT, {**EVENT, "id": "A-2", "data": 2}])
    assert [(one.attributes.id, one.data) for one in events] == [("A-1", None), ("A-2", 2)]
    assert read(BATCH, []) == []


def test_of_a_batch_everything_that_is_wrong_is_said() -> None:
    bad = {**EVENT, "id": "", "source": "a b", "specversion": "0.3"}
    assert problems(BATCH, [EVENT, bad, 5]) == {
        "1.specversion": "Input should be '1.0'",
        "1.id": "String should have at least 1 character",
        "1.source": "must be a URI reference, without spaces",
        "2": "an event is a JSON object",
    }


def test_a_batch_has_an_end() -> None:
    assert problems(BATCH, [EVENT] * (MAX_BATCH + 1)) == {
        "body": "a batch is a JSON array of at most 1000 events"
    }
    assert "body" in problems(BATCH, EVENT)


def test_what_binary_mode_lacks_is_named_as_a_header() -> None:
    found = problems("application/json", b"{}", ce_id="1", ce_data="x")
    assert found == {"ce-data": "the data are the body of the request"}
    found = problems("application/json", b"{}", ce_id="1")
    assert set(found) == {"ce-specversion", "ce-source", "ce-type"}


@pytest.mark.parametrize(
    ("change", "where", "said"),
    [
        ({"id": 5}, "id", "valid string"),
        ({"type": None}, "type", "required"),
        ({"time": "yesterday"}, "time", "RFC 3339"),
        ({"time": "2026-13-02T03:04:05Z"}, "time", "month"),
        ({"time": "2026-01-02T03:04:05"}, "time", "RFC 3339"),
        ({"dataschema": "/order.json"}, "dataschema", "absolute"),
        ({"subject": ""}, "subject", "at least 1"),
        ({"Upper": "x"}, "body", "small letters"),
        ({"my_ext": "x"}, "body", "small letters"),
        ({"ext": 1.5}, "body", "a string, an integer"),
        ({"ext": 2**31}, "body", "a string, an integer"),
        ({"ext": {"a": 1}}, "body", "a string, an integer"),
        ({"data": 1, "data_base64": "eA=="}, "data_base64", "there is no data"),
        ({"data_base64": 5}, "data_base64", "must be a string"),
        ({"data_base64": "?"}, "data_base64", "not base64"),
        ({"datacontenttype": "application/json", "data_base64": "ew=="}, "data_base64", "not JSON"),
        ({"datacontenttype": "text/plain; charset=nope", "data_base64": "ew=="}, "data_base64", "not text"),
        (
            {"datacontenttype": "text/plain; charset=utf-7", "data_base64": "KzJBQS0="},
            "data_base64",
            "not text",
        ),
        (
            {"datacontenttype": "text/plain; charset=undefined", "data_base64": "ew=="},
            "data_base64",
            "not text",
        ),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], where: str, said: str) -> None:
    assert said in problems(STRUCTURED, {**EVENT, **change})[where]


def test_what_is_no_json_is_no_event() -> None:
    assert "not JSON" in problems(STRUCTURED, b"{")["body"]
    assert (
        "not JSON" in problems("application/json", b"{", **{f"ce_{k}": v for k, v in EVENT.items()})["body"]
    )


@pytest.mark.parametrize("media_type", ["application/cloudevents+avro", "Application/CloudEvents-batch+xml"])
def test_other_formats_are_unknown(media_type: str) -> None:
    with pytest.raises(UnknownFormat, match="send application/cloudevents"):
        read_events({"Content-Type": media_type}, b"{}")


@pytest.mark.parametrize(
    "header", ["application/cloudevents+json, text/plain", "application/cloudevents+json/x"]
)
def test_what_is_no_media_type_names_no_format(header: str) -> None:
    assert "ce-id" in problems(header, b"{}")
