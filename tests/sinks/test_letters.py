"""What the sink writes and says of a record that it gives up on."""

import logging
from typing import Any, cast

import pytest

from sinks.letters import LetterBox, poison
from tests.sinks import records
from tests.sinks.records import CODEC, message

EVENT = "11111111-2222-4333-8444-555555555555"


def test_the_letter_and_its_line_name_the_trace(caplog: pytest.LogCaptureFixture) -> None:
    event = CODEC.encode("TriggerEvent", records.event(event_id=EVENT))
    given_up = poison("trigger.events", message("trigger.events", event), ValueError("too large"))
    with caplog.at_level(logging.ERROR, "sinks.letters"):
        (sent,) = LetterBox(cast("Any", None), CODEC).encode([given_up])
    letter = CODEC.decode("DeadLetter", sent.value)
    assert letter["trace_id"] == EVENT.replace("-", "")
    (line,) = (one for one in caplog.records if one.name == "sinks.letters")
    said = {
        "dead_letter_id": letter["id"],
        "tenant_id": records.TENANT,
        "trace_id": letter["trace_id"],
        "span_id": "8444555555555555",
    }
    assert vars(line) | said == vars(line)


def test_a_record_of_a_topic_that_was_made_anew_has_a_letter_of_its_own() -> None:
    box = LetterBox(cast("Any", None), CODEC)
    given_up = [
        poison("runs", message("runs", b"no avro", sent_ms=sent_ms), ValueError("no avro"))
        for sent_ms in (1_000, 1_000, 2_000)
    ]
    first, again, other = (CODEC.decode("DeadLetter", sent.value)["id"] for sent in box.encode(given_up))
    assert first == again
    assert first != other
