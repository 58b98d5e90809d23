"""What was a dead letter and is sent again: records and rows, in a stage and with the letters as they are."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from schemas import letters
from schemas.codec import SingleObjectCodec
from schemas.letters import Return
from streams.dead_letters import dead_letter
from streams.shell.assignment import Assignment
from streams.shell.inbox import Delivery
from streams.shell.letters import row_record
from streams.shell.replay import Recovered
from streams.shell.stage import Decision, Kept, NotYet, Record, Stage
from tests.streams.kept import KeptRows
from tests.streams.shell.conftest import TP, FakeProducer
from tests.streams.shell.test_ordered import Running, _finished
from transport.producer import Send

CODEC = SingleObjectCodec()
ID = "0b9e2d6c-0000-5000-8000-000000000001"


class Broken:
    """A stage that refuses what it has to do until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.served: list[list[str]] = []
        self.not_yet = 0

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        if not self.mended:
            raise ValueError("the definition is broken")
        return Decision([Send("out", record.key, record.value)])

    def due(self, key: str, value: bytes) -> float | None:
        return 1.0 if "/" not in key else None

    def owner(self, key: str, value: bytes) -> str | None:
        return {b"x": "acme"}[value]

    def on_due(self, key: str, value: bytes, kept: Kept, now: float) -> Decision:
        if self.not_yet:
            self.not_yet -= 1
            raise NotYet(partial(asyncio.sleep, 0))
        if not self.mended:
            raise ValueError("the engine is broken")
        parts = kept.under(f"{key}/")
        self.served.append([key, *(f"{part}={kept.get(part)!r}" for part in parts)])
        return Decision([Send("out", key.encode(), value)], dict.fromkeys([key, *parts]))


def deliver(assignment: Assignment, *records: Record) -> Delivery:
    assignment.offsets.deliver(TP, [record.offset for record in records])
    return Delivery(assignment, TP, list(records), 0)


def running(stage: Broken, producer: FakeProducer) -> Running:
    parts = Stage("s", "source", stage.decide, "t", due=stage.due, on_due=stage.on_due, owner=stage.owner)
    made = Running(parts, producer)
    made.runner._dead_letter = partial(dead_letter, CODEC)
    return made


def buried(producer: FakeProducer) -> list[dict[str, Any]]:
    return [CODEC.decode("DeadLetter", one.value) for one in producer.sent if one.topic == letters.TOPIC]


def sent_back(letter: dict[str, Any], offset: int, *, is_row: bool = False) -> Record:
    """As the ingress does it."""
    headers = [(header["name"], header["value"]) for header in letter["headers"]]
    back = Return(letter["id"], letter["attempts"], letter["stage"], is_row).header()
    return Record("source", 0, offset, letter["key"], letter["value"], [*headers, back], 0)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_a_record_that_fails_again_is_the_same_letter_and_succeeds_once_all_is_mended(
    producer: FakeProducer, assignment: Assignment, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Broken()
    stage = running(broken, producer)
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent = f"00-{trace}-b7ad6b7169203331-01".encode()
    record = Record("source", 0, 0, b"k", b"v", [("traceparent", sent)], 0)
    async with stage.run():
        stage.inbox.put(deliver(assignment, record))
        await until(lambda: len(buried(producer)) == 1)
        stage.inbox.put(deliver(assignment, sent_back(buried(producer)[0], 1)))
        await until(lambda: len(buried(producer)) == 2)
        broken.mended = True
        second = buried(producer)[1]
        stage.inbox.put(deliver(assignment, sent_back(second, 2), replace(record, offset=3)))
        await _finished(assignment)
    first, second = buried(producer)
    assert (first["attempts"], second["attempts"]) == (1, 2)
    assert first["id"] == second["id"]
    assert (first["offset"], second["offset"]) == (0, 1)
    assert second["headers"] == [{"name": "traceparent", "value": sent}]
    assert (first["trace_id"], second["trace_id"]) == (trace, trace)
    assert second["reason"] == "ValueError: the definition is broken"
    assert "in decide" in second["stack"]
    assert [one.value for one in producer.sent if one.topic == "out"] == [b"v", b"v"]
    lines = [one for one in caplog.records if one.name == "streams.dead_letters"]
    said = [line.getMessage() for line in lines]
    why = "which becomes a dead letter: ValueError: the definition is broken"
    assert said == [f"s gives up on source/0/0, {why}", f"s gives up on source/0/1, {why}"]
    of_both = {"dead_letter_id": first["id"], "trace_id": trace, "span_id": "b7ad6b7169203331"}
    assert [vars(line) | of_both for line in lines] == [vars(line) for line in lines]


async def test_what_the_sink_gave_up_on_does_not_act_again(
    producer: FakeProducer, assignment: Assignment
) -> None:
    broken = Broken()
    stage = running(broken, producer)
    back = Return(ID, 1, letters.SINK).header()
    async with stage.run():
        stage.inbox.put(deliver(assignment, Record("source", 0, 0, b"k", b"v", [back], 0)))
        await _finished(assignment)
    assert producer.sent == []


async def test_a_row_comes_back_with_its_parts_and_once(
    producer: FakeProducer, assignment: Assignment
) -> None:
    broken = Broken()
    stage = running(broken, producer)
    rows = [Recovered(key, value, None, n) for n, (key, value) in enumerate({"r": b"x", "r/a": b"y"}.items())]
    stage.table.recover(0, rows, 1)
    producer.ends["changelog.t"] = 1
    stage.runner.serve(assignment)
    async with stage.run():
        await until(lambda: len(buried(producer)) == 1)
        (first,) = buried(producer)
        assert (first["topic"], first["offset"], first["key"]) == ("changelog.t", -1, b"r")
        assert first["tenant_id"] == "acme"
        stage.inbox.put(deliver(assignment, sent_back(first, 0, is_row=True)))
        await until(lambda: len(buried(producer)) == 2)
        await _finished(assignment)
        assert dict(stage.table.items(0)) == {}
        second = buried(producer)[1]
        assert (second["id"], second["attempts"], second["topic"]) == (first["id"], 2, "changelog.t")
        assert second["tenant_id"] == "acme"
        broken.mended, broken.not_yet = True, 1
        twice = [sent_back(second, offset, is_row=True) for offset in (1, 2)]
        stage.inbox.put(deliver(assignment, *twice))
        await _finished(assignment)
    assert broken.served[0] == ["r", "r/a=b'y'"]
    assert {one.value for one in producer.sent if one.topic == "out"} == {b"x"}
    assert dict(stage.table.items(0)) == {}
    assert len(buried(producer)) == 2


async def test_of_a_row_that_nobody_can_read_it_is_not_known_whose_it_is(
    producer: FakeProducer, assignment: Assignment
) -> None:
    stage = running(Broken(), producer)
    stage.table.recover(0, [Recovered("r", b"unreadable", None, 0)], 1)
    producer.ends["changelog.t"] = 1
    stage.runner.serve(assignment)
    async with stage.run():
        await until(lambda: len(buried(producer)) == 1)
    assert [letter["tenant_id"] for letter in buried(producer)] == [None]


def letter_of(record: Record) -> str:
    found: str = CODEC.decode("DeadLetter", dead_letter(CODEC, "s", record, ValueError()).value)["id"]
    return found


def test_a_record_of_a_topic_that_was_made_anew_has_a_letter_of_its_own() -> None:
    record = Record("source", 0, 5, b"k", b"v", (), 1)
    assert letter_of(record) == letter_of(replace(record))
    assert letter_of(record) != letter_of(replace(record, timestamp_ms=2))


def test_a_row_that_was_served_in_between_has_another_letter() -> None:
    row = row_record("t", 0, "r", b"x", KeptRows(), 1.0)
    assert letter_of(row) == letter_of(row_record("t", 0, "r", b"x", KeptRows(), 2.0))
    assert letter_of(row) != letter_of(row_record("t", 0, "r", b"y", KeptRows(), 1.0))
    assert letter_of(row) != letter_of(row_record("t", 0, "s", b"x", KeptRows(), 1.0))


async def test_a_row_that_is_there_again_is_left_alone(
    producer: FakeProducer, assignment: Assignment
) -> None:
    broken = Broken()
    stage = running(broken, producer)
    stage.table.recover(0, [Recovered("r", b"newer", None, 0)], 0)
    producer.ends["changelog.t"] = 0
    letter = {"id": ID, "attempts": 1, "stage": "s", "key": b"r", "value": b"older", "headers": []}
    async with stage.run():
        stage.inbox.put(deliver(assignment, sent_back(letter, 0, is_row=True)))
        await _finished(assignment)
    assert dict(stage.table.items(0)) == {"r": b"newer"}
    assert producer.sent == []
