"""Which letter a record is, and what of it fits into a message."""

import pytest

from schemas import letters
from schemas.codec import SingleObjectCodec
from schemas.ids import new_id
from schemas.letters import (
    Origin,
    Place,
    Return,
    dead_letter,
    is_meant_for,
    origin_of,
    original_bytes,
    returned,
)
from schemas.topics import TOPICS
from schemas.traces import Context, child, root
from tests.sinks import records

CODEC = SingleObjectCodec()
MIB = 1024 * 1024
LARGEST = 16 * MIB - 64 * 1024
"""As `transport.producer` lets a message be, with room for its key and headers."""

PLACE = Place("run.commands", 1, 2)


def bury(
    key: bytes | None = b"k", value: bytes | None = b"v", headers: letters.Headers = (), stage: str = "engine"
) -> letters.Record:
    return dead_letter(
        PLACE, (key, value, headers), Origin(), letter_id="first", stage=stage, reason="ValueError: x"
    )


def test_a_new_letter_is_the_first_attempt() -> None:
    letter = bury(headers=(("traceparent", b"00"), ("empty", None)))
    assert (letter["id"], letter["attempts"], letter["revision"]) == ("first", 1, 1)
    assert letter["headers"] == [{"name": "traceparent", "value": b"00"}, {"name": "empty", "value": b""}]
    assert CODEC.decode("DeadLetter", CODEC.encode("DeadLetter", letter))["value"] == b"v"


def test_each_attempt_and_each_return_is_a_later_state_of_the_same_letter() -> None:
    letter_id = new_id()
    back = Return(letter_id, 1, "engine")
    second = bury(headers=[("a", b"1"), back.header()])
    assert (second["id"], second["attempts"]) == (letter_id, 2)
    assert second["headers"] == [{"name": "a", "value": b"1"}], "the way back is not part of the record"
    states = [bury(), letters.closed(bury()), second, letters.closed(second)]
    assert [state["revision"] for state in states] == [1, 2, 3, 4]
    assert [state["status"] for state in states] == ["PENDING", "REPLAYED"] * 2


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"x",
        b"\xff",
        b"no-uuid 1 engine record",
        b"d04998e2-6b8b-4b43-9d17-69083ecd862a one engine record",
    ],
)
def test_a_header_that_somebody_else_has_written_says_nothing(value: bytes) -> None:
    assert returned([(letters.HEADER, value)]) is None
    assert bury(headers=[(letters.HEADER, value)])["id"] == "first"


def test_the_sink_and_the_stage_that_read_a_topic_have_letters_of_their_own() -> None:
    for_sink = [Return(new_id(), 1, letters.SINK).header()]
    for_route = [Return(new_id(), 1, "route").header()]
    assert is_meant_for("route", for_route)
    assert not is_meant_for("route", for_sink)
    assert is_meant_for(letters.SINK, for_sink)
    assert not is_meant_for(letters.SINK, for_route)
    assert is_meant_for("route", [])
    assert bury(headers=for_route, stage=letters.SINK)["id"] == "first"
    # Releases before this one said `executor` for all that was no stage with a source of its own.
    assert is_meant_for("documents", [Return(new_id(), 1, "executor").header()])


@pytest.mark.parametrize(
    ("key", "value", "headers", "whole"),
    [
        (b"k", b"x" * (15 * MIB), [("h", b"y")], True),
        (b"k", b"x" * LARGEST, [("h", b"y")], False),
        (b"k", b"x" * (40 * MIB), [("h", b"y")], False),
        (b"k" * (9 * MIB), b"x" * (9 * MIB), [], False),
        (b"k" * (30 * MIB), None, [], False),
        (b"k" * (MIB // 2), b"x" * (16 * MIB), [], False),
        (b"k", b"x", [("h", b"y" * (16 * MIB))], False),
    ],
    ids=["fits", "largest", "larger", "key", "key-alone", "key-and-value", "headers"],
)
def test_a_letter_fits_into_a_message_whatever_its_record_is(
    key: bytes, value: bytes | None, headers: list[tuple[str, bytes | None]], whole: bool
) -> None:
    reason, stack = "\N{SNOWMAN}" * 100_000, "\N{SNOWMAN}" * 1_000_000
    letter = dead_letter(
        PLACE, (key, value, headers), Origin(), letter_id="i", stage="s", reason=reason, stack=stack
    )
    assert len(CODEC.encode("DeadLetter", letter)) + len(letter["key"]) < LARGEST
    kept = [(header["name"], header["value"]) for header in letter["headers"]]
    assert original_bytes(kept) == (None if whole else len(value or b""))
    assert (letter["value"] == value and letter["key"] == key and kept == headers) == whole


def test_whose_it_is_is_said_where_it_can_be_read() -> None:
    value = CODEC.encode("TriggerEvent", records.event(tenant_id="t9"))
    assert origin_of(CODEC, "trigger.events", value, []).tenant_id == "t9"
    assert origin_of(CODEC, "trigger.events", value[:20], []).tenant_id is None
    assert origin_of(CODEC, "changelog.runs", value, []).tenant_id is None
    assert origin_of(CODEC, "kafka/t1/orders", value, []).tenant_id is None


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENT = f"00-{TRACE}-{SPAN}-01"
EVENT, OWN = "11111111-2222-4333-8444-555555555555", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
EVENTS, OWNS = Context(EVENT.replace("-", ""), "8444555555555555", True), "8dddeeeeeeeeeeee"
LOG = records.trigger_log(id=OWN, event_id=EVENT)
START = {
    "command_id": "c",
    "kind": "START",
    "workflow_run_id": EVENT,
    "tenant_id": "t",
    "app_id": "a",
    "workflow_id": "w",
    "version": "v",
    "workflows_offset": 0,
    "issued_at": 1,
    "payload": "{}",
}


@pytest.mark.parametrize(
    ("topic", "record", "expected"),
    [
        ("trigger.events", records.event(event_id=EVENT), EVENTS),
        ("trigger.events", records.event(event_id=EVENT, traceparent=SENT), Context(TRACE, EVENTS[1], True)),
        ("trigger.events", records.event(event_id="no uuid"), None),
        ("trigger.logs", LOG, Context(EVENTS.trace_id, OWNS, True)),
        ("trigger.logs", {**LOG, "event_id": None}, Context(OWN.replace("-", ""), OWNS, True)),
        ("runs", records.run(id=OWN, traceparent=child(SENT, EVENT)), Context(TRACE, OWNS, True)),
        (
            "runs",
            records.run(id=EVENT, traceparent=root(EVENT, sampled=False)),
            EVENTS._replace(sampled=False),
        ),
        (
            "node.executions",
            records.node(id=OWN, workflow_run_id=EVENT),
            Context(EVENTS.trace_id, OWNS, True),
        ),
        ("run.commands", {**START, "trigger_log": LOG}, Context(EVENTS.trace_id, OWNS, True)),
        ("run.commands", {**START, "kind": "CANCEL"}, None),
    ],
)
def test_the_trace_of_a_record_is_the_one_that_its_header_or_its_ids_say(
    topic: str, record: dict[str, object], expected: Context | None
) -> None:
    value = CODEC.encode(TOPICS[topic].schema or "", record)
    assert origin_of(CODEC, topic, value, []).trace == expected
    assert origin_of(CODEC, topic, value, [("traceparent", b"\xff"), ("traceparent", None)]).trace == expected
    assert origin_of(CODEC, topic, value, [("traceparent", SENT.encode())]).trace == Context(
        TRACE, SPAN, True
    )


def test_of_what_nobody_can_read_only_a_header_says_the_trace() -> None:
    assert origin_of(CODEC, "trigger.events", b"no avro", []).trace is None
    assert origin_of(CODEC, "changelog.runs", b"a row", []).trace is None
    assert origin_of(CODEC, "kafka/t1/orders", b"order", [("traceparent", SENT.encode())]).trace is not None
