"""Server-Sent Events, as the standard has them."""

from cli.sse import EventReader, ServerSentEvent


def test_events_end_with_an_empty_line() -> None:
    reader = EventReader()
    lines = [
        ": a comment", "retry: 250", "", "event: node_started", "id: 1", "data: {", "data:}", "",
        "data", "", "event: ping", "id: 2", "", "data: last", "",
    ]  # fmt: skip
    assert [event for line in lines if (event := reader.take(line))] == [
        ServerSentEvent("node_started", "{\n}", "1"),
        ServerSentEvent("message", "", "1"),
        ServerSentEvent("message", "last", "2"),
    ]
    assert reader.retry_s == 0.25


def test_half_an_event_does_not_count() -> None:
    reader = EventReader()
    for line in ("id: 1", "data: a", "", "id: 2", "data: b"):
        reader.take(line)
    reader.forget()
    assert reader.last_id == "1"
    assert [event for line in ("data: c", "") if (event := reader.take(line))] == [
        ServerSentEvent("message", "c", "1")
    ]
