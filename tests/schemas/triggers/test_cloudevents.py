"""CloudEvents triggers: filters, and what a request is made of."""

from typing import Any

import orjson
import pytest
from multidict import CIMultiDict
from pydantic import ValidationError

from schemas.triggers.cloudevents import CloudEventsConfig, receive_cloudevents
from schemas.triggers.delivery import Delivery, NotUnderstood, Received

ATTRIBUTES: dict[str, Any] = {
    "specversion": "1.0", "type": "com.example.order.created", "source": "/orders/eu", "id": "A-1",
    "subject": "A-1.json", "urgent": True, "retries": 3,
}  # fmt: skip


def receive(*events: dict[str, Any]) -> Received:
    headers = CIMultiDict({"Content-Type": "application/cloudevents-batch+json"})
    return receive_cloudevents(
        Delivery("POST", "/api/v1/events", headers, {}, orjson.dumps(events), 0), "tenant"
    )


def passes(*filters: dict[str, Any], **attributes: Any) -> bool:
    [event] = receive({**ATTRIBUTES, **attributes}).events
    config = CloudEventsConfig.model_validate({"filters": filters})
    return config.refusal(event.data) is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], True),
        ([{"exact": {"type": "com.example.order.created"}}], True),
        ([{"exact": {"type": "com.example.order"}}], False),
        ([{"exact": {"type": "com.example.order.created", "subject": "B"}}], False),
        ([{"prefix": {"type": "com.example."}}], True),
        ([{"prefix": {"type": "com.other."}}], False),
        ([{"suffix": {"subject": ".json"}}], True),
        ([{"suffix": {"subject": ".xml"}}], False),
        ([{"suffix": {"source": "/eu"}}, {"prefix": {"source": "/orders"}}], True),
        ([{"suffix": {"source": "/eu"}}, {"prefix": {"source": "/carts"}}], False),
        ([{"any": [{"exact": {"source": "/x"}}, {"suffix": {"source": "/eu"}}]}], True),
        ([{"all": [{"exact": {"source": "/x"}}, {"suffix": {"source": "/eu"}}]}], False),
        ([{"not": {"exact": {"source": "/x"}}}], True),
        ([{"not": {"prefix": {"source": "/orders"}}}], False),
        ([{"exact": {"dataschema": "x"}}], False),
        ([{"not": {"prefix": {"dataschema": "x"}}}], True),
        ([{"exact": {"urgent": "true", "retries": "3"}}], True),
    ],
)
def test_filters(filters: list[Any], expected: bool) -> None:
    assert passes(*filters) is expected


def test_a_refusal_names_the_filter() -> None:
    [event] = receive(ATTRIBUTES).events
    config = CloudEventsConfig.model_validate({"filters": [{"exact": {"id": "A-1"}}, {"exact": {"id": "B"}}]})
    assert config.refusal(event.data) == "filter 2 does not let it pass"


@pytest.mark.parametrize(
    ("filters", "key"),
    [
        ([{"exact": {"type": "a", "source": "b"}}], "a"),
        ([{"exact": {"source": "b"}}, {"all": [{"prefix": {"id": "x"}}, {"exact": {"type": "a"}}]}], "a"),
        ([{"any": [{"exact": {"type": "a"}}, {"exact": {"type": "b"}}]}], ""),
        ([{"not": {"exact": {"type": "a"}}}], ""),
        ([{"prefix": {"type": "a"}}], ""),
        ([], ""),
    ],
)
def test_it_is_looked_up_by_the_type_it_needs(filters: list[Any], key: str) -> None:
    assert CloudEventsConfig.model_validate({"filters": filters}).index_key("id") == key


def nested(depth: int) -> dict[str, Any]:
    return {"exact": {"id": "1"}} if depth == 1 else {"not": nested(depth - 1)}


@pytest.mark.parametrize(
    "filters",
    [[{}], [{"exact": {}}], [{"exact": {"type": ""}}], [{"exact": {"Type": "x"}}], [{"sql": "true"}],
     [nested(6)], [{"exact": {"id": "1"}, "prefix": {"id": "1"}}], [{"any": []}], [{"exact": {"id": 1}}]],
)  # fmt: skip
def test_what_is_no_filter_is_refused(filters: list[Any]) -> None:
    with pytest.raises(ValidationError):
        CloudEventsConfig.model_validate({"filters": filters})


def test_it_is_stored_as_it_was_written() -> None:
    written = [{"any": [{"not": {"exact": {"id": "1"}}}, {"prefix": {"id": "2"}}]}, nested(5)]
    config = CloudEventsConfig.model_validate({"filters": written})
    assert config.model_dump(mode="json")["filters"] == written
    assert CloudEventsConfig.model_validate(config.model_dump(mode="json")) == config


def test_an_event_is_known_by_source_and_id_whatever_its_type() -> None:
    first, second, third = receive(
        ATTRIBUTES, {**ATTRIBUTES, "type": "x"}, {**ATTRIBUTES, "source": "/other"}
    ).events
    assert (
        (first.delivery_id, first.scope) == (second.delivery_id, second.scope) == ("/orders/eu A-1", "tenant")
    )
    assert third.delivery_id != first.delivery_id
    assert (second.index_key, second.event_type, second.tenant_id) == ("x", "x", "tenant")
    assert first.data["attributes"] == ATTRIBUTES


def test_a_batch_with_a_bad_event_is_refused_whole() -> None:
    with pytest.raises(NotUnderstood, match="nothing of it is taken") as raised:
        receive(ATTRIBUTES, {**ATTRIBUTES, "id": ""})
    assert [where for where, _ in raised.value.problems] == ["1.id"]
