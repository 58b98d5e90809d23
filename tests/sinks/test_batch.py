"""When a batch is due, and what it forgets."""

import math

import pytest

from sinks.batch import Batch, Partition
from sinks.settings import SinkSettings
from tests.sinks.records import CODEC, message, run

SETTINGS = SinkSettings(
    batch_rows=100, batch_bytes=10_000, batch_interval_s=1.0, batch_settle_s=0.0, batch_age_s=5.0
)

PATIENT = SETTINGS.model_copy(update={"batch_settle_s": 0.25})


def batch(settings: SinkSettings = SETTINGS) -> Batch:
    return Batch(settings)


def test_nothing_is_never_due() -> None:
    assert batch().due_in(0.0) == math.inf


def test_a_run_after_a_silence_is_due_at_once() -> None:
    made = batch()
    made.add("runs", [message("runs", b"x")], 100.0)
    assert made.due_in(100.0) == 0.0


def test_a_run_waits_for_its_nodes_but_not_for_long() -> None:
    made = batch(PATIENT)
    made.add("runs", [message("runs", b"x", key=b"a"), message("runs", b"x", key=b"b")], 100.0)
    made.add("node.executions", [message("node.executions", b"x", key=b"a")], 100.0)
    assert made.due_in(100.0) == 0.25
    assert not made.urgent, "nodes of the other one would make it due sooner"
    made.add("node.executions", [message("node.executions", b"x", key=b"b")], 100.125)
    assert made.due_in(100.125) <= 0
    assert made.urgent


def test_nodes_that_were_there_before_it_let_a_run_wait_for_nothing() -> None:
    made = batch(PATIENT)
    made.add("node.executions", [message("node.executions", b"x")], 100.0)
    assert made.due_in(100.0) == 5.0
    made.add("runs", [message("runs", b"x")], 100.0)
    assert made.due_in(100.0) <= 0


def test_nodes_of_the_hops_before_are_not_those_that_a_run_waits_for() -> None:
    made = batch(PATIENT)
    made.add("node.executions", [message("node.executions", b"x", sent_ms=5_000)], 100.0)
    made.add("runs", [message("runs", b"x", sent_ms=5_010)], 100.0)
    assert made.due_in(100.0) == 0.25
    made.add("node.executions", [message("node.executions", b"x", sent_ms=5_009)], 100.0)
    assert made.due_in(100.0) <= 0


def test_no_run_is_waited_for_that_only_begins() -> None:
    made = batch(PATIENT)
    began = message("runs", CODEC.encode("WorkflowRun", run(status="RUNNING")), key=b"began")
    made.add("runs", [began, message("runs", b"x")], 100.0)
    made.add("node.executions", [message("node.executions", b"x")], 100.0)
    assert made.due_in(100.0) <= 0


def test_what_nodes_are_waited_for_keeps_the_distance() -> None:
    made = batch(PATIENT)
    made.start_again(100.0)
    made.add("runs", [message("runs", b"x")], 100.875)
    assert made.due_in(100.875) == 0.25
    made.add("node.executions", [message("node.executions", b"x")], 100.875)
    assert made.due_in(100.875) == 0.125
    assert made.urgent


def test_an_event_waits_for_a_run_but_not_for_long() -> None:
    made = batch()
    made.add("trigger.events", [message("trigger.events", b"x")], 100.0)
    assert made.due_in(101.0) == 4.0
    assert not made.urgent
    made.add("runs", [message("runs", b"x")], 102.0)
    assert made.due_in(102.0) == 0.0


def test_a_run_that_begins_is_waited_for_by_nobody() -> None:
    for status, due_in in (("RUNNING", 5.0), ("PAUSED", 0.0), ("SUCCEEDED", 0.0)):
        made = batch()
        value = CODEC.encode("WorkflowRun", run(status=status))
        made.add("runs", [message("runs", value)], 100.0)
        assert made.due_in(100.0) == due_in, status


def test_batches_keep_their_distance() -> None:
    made = batch()
    made.start_again(100.0)
    made.add("runs", [message("runs", b"x")], 100.25)
    assert made.due_in(100.25) == 0.75


def test_the_distance_grows_with_the_rate_but_not_for_ever() -> None:
    for rows, due_in in ((100, 0.025), (500, 0.05), (1_000, 0.1), (10_000, 1.0), (50_000, 1.0)):
        made = batch(SinkSettings(batch_rows=100_000, batch_bytes=10_000_000))
        made.start_again(99.0)
        made.add("runs", [message("runs", b"x")] * rows, 99.5)
        made.start_again(100.0)
        made.add("runs", [message("runs", b"x")], 100.0)
        assert made.due_in(100.0) == pytest.approx(due_in)


def test_a_full_batch_keeps_no_distance() -> None:
    for rows, size in ((100, 1), (10, 1_000)):
        made = batch()
        made.start_again(100.0)
        made.add("trigger.logs", [message("trigger.logs", b"x" * size)] * rows, 100.0)
        assert made.due_in(100.0) == 0.0


def test_it_knows_where_each_partition_goes_on() -> None:
    made = batch()
    made.add("runs", [message("runs", b"x", offset=4), message("runs", b"x", offset=5)], 0.0)
    made.add("runs", [message("runs", b"x", offset=9, partition=1)], 0.0)
    assert made.offsets == {Partition("runs", 0): 6, Partition("runs", 1): 10}


def test_what_was_taken_away_is_neither_written_nor_committed() -> None:
    made = batch()
    made.add("runs", [message("runs", b"abc", partition=p) for p in (0, 1, 0)], 0.0)
    made.drop(Partition("runs", 0))
    made.drop(Partition("trigger.logs", 7))
    assert made.offsets == {Partition("runs", 1): 1}
    assert [m.partition() for m in made.messages["runs"]] == [1]
    assert (made.rows, made.bytes) == (1, 3)


def test_after_it_was_written_it_is_empty() -> None:
    made = batch()
    made.add("runs", [message("runs", b"abc")], 0.0)
    made.start_again(0.0)
    assert (made.rows, made.bytes, made.offsets, made.urgent) == (0, 0, {}, False)
    assert made.due_in(1e9) == math.inf
