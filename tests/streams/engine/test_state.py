"""The bytes of a state hold all of it, whatever its form, and damaged or foreign ones are told."""

from collections.abc import Mapping

import orjson
import pytest

from streams.engine.errors import NewerState, UndecodableState
from streams.engine.state import FORMAT, Alarm, Encoded, RunState, Waiting, decode, encode
from tests.streams.engine.harness import Rows

WAITING = Waiting("it/0", "c", 1, 3, "start", 5, "{}", 1)


def some_state() -> RunState:
    state = RunState(
        "run", "tenant", "app", "workflow", "v1", "hash", "app-run", "end_user", None, 4, 5, "default",
        revision=1, steps=3, exceptions=1, tokens=7, alarms=(Alarm(9, "again"),),
    )  # fmt: skip
    state.inputs = '{"a":1}'
    state.trigger_log = {"id": "log"}
    state.wait_for("e", WAITING)
    state.parts.put("v::start", {"x": [1, {"y": None}]})
    return state


def read_back(encoded: Encoded, rows: Mapping[str, bytes | None] | None = None) -> RunState:
    kept = {key: row for key, row in {**(rows or {}), **encoded.rows}.items() if row is not None}
    return decode(encoded.head, Rows(kept))


@pytest.mark.parametrize("split_bytes", [0, 100_000])
def test_what_is_decoded_is_what_was_encoded(split_bytes: int) -> None:
    state = read_back(encode(some_state(), split_bytes))
    assert encode(state).head == encode(some_state(), split_bytes).head
    assert (state.inputs, state.trigger_log) == ('{"a":1}', {"id": "log"})
    assert state.waiting("e") == WAITING
    assert state.all_waiting() == [("e", WAITING)]
    assert state.parts.get("v::start") == {"x": [1, {"y": None}]}
    assert state.alarms == (Alarm(9, "again"),)


def test_a_small_state_is_one_row_and_a_large_one_is_many() -> None:
    state = some_state()
    assert encode(state).rows == {}
    state.parts.put("v::large", {"text": "x" * 20_000})
    head, rows = encode(state)
    assert len(head) < 200
    assert set(rows) == {"inputs", "log", "w:e", "v::start", "v::large"}


def test_of_many_rows_those_are_written_that_change() -> None:
    first = encode(some_state(), 0)
    state = read_back(first)
    state.no_longer_waits("e")
    state.wait_for("f", WAITING)
    state.parts.put("v::c", {"y": 2})
    second = encode(state)
    assert second.rows == {"w:e": None, "w:f": orjson.dumps(tuple(WAITING)), "v::c": b'{"y":2}'}
    again = read_back(second, first.rows)
    assert again.waiting("e") is None
    assert again.waiting("f") == WAITING
    assert again.parts.get("v::start") == {"x": [1, {"y": None}]}


def test_what_comes_and_goes_between_two_rows_leaves_no_trace() -> None:
    state = read_back(encode(some_state(), 0))
    state.wait_for("f", WAITING)
    state.no_longer_waits("f")
    assert encode(state).rows == {}


def test_a_copy_is_apart() -> None:
    state = some_state()
    copy = state.copy()
    copy.no_longer_waits("e")
    copy.parts.put("v::n", {})
    assert state == some_state()
    assert state != copy


@pytest.mark.parametrize("split_bytes", [0, 100_000])
def test_an_ended_run_forgets(split_bytes: int) -> None:
    first = encode(some_state(), split_bytes)
    state = read_back(first)
    state.status = "SUCCEEDED"
    state.forget()
    assert state.ended
    last = encode(state)
    assert len(last.head) < 150
    assert all(row is None for row in last.rows.values())
    assert set(last.rows) == set(first.rows)
    assert read_back(last, first.rows) == state


def test_the_first_format_is_read() -> None:
    log = {"id": "log", "queue_name": "high_priority"}
    scalars = ["run", "tenant", "app", "workflow", "v1", "hash", "app-run", "end_user", None, 4, 5,
               '{"a":1}', log, "RUNNING", None, 1, 3, 0]  # fmt: skip
    frames = [["", {"start": {"x": 1}, "sys": {"app_id": "app"}}, [[4, 1, -1]]]]
    waiting = [["e", "", "c", 1, 3, "start", 5, "{}", 1]]
    state = decode(orjson.dumps([1, scalars, frames, waiting]))
    assert (state.inputs, state.trigger_log, state.queue, state.steps) == ('{"a":1}', log, "high_priority", 3)
    assert state.waiting("e") == Waiting("", "c", 1, 3, "start", 5, "{}", 1)
    assert state.parts.get("v::start") == {"x": 1}
    assert state.parts.get("f:") == [None, 0, 5, 1, None, False, ["0", "start", "sys"], [[4, 1, -1]]]


def test_a_finished_run_of_the_first_format_is_read() -> None:
    scalars = ["run", "tenant", "app", "workflow", "v1", "hash", "app-run", "end_user", None, 4, 5,
               "", None, "FAILED", "no", 2, 3, 0]  # fmt: skip
    state = decode(orjson.dumps([1, scalars, [], []]))
    assert state.ended
    assert (state.error, state.inputs) == ("no", "")


@pytest.mark.parametrize(
    "value",
    [b"", b"x", b"{}", b"[]", b"[1]", orjson.dumps([FORMAT, [], {}]), orjson.dumps([1, [], [], []])],
)
def test_damaged(value: bytes) -> None:
    with pytest.raises(UndecodableState, match="damaged"):
        decode(value)


def test_a_damaged_part() -> None:
    state = decode(encode(some_state(), 0).head, Rows({"w:e": b"x"}))
    with pytest.raises(UndecodableState, match="damaged part w:e"):
        state.waiting("e")


def test_another_format() -> None:
    with pytest.raises(NewerState, match="of format 99"):
        decode(orjson.dumps([99, [], {}]))


def test_the_second_format_is_read_as_it_was_before_there_were_pauses() -> None:
    scalars = ["run", "tenant", "app", "workflow", "v1", "hash", "app-run", "end_user", None, 4, 5, "default",
               "RUNNING", None, 1, 3, 1, 7, [[9, "again"]]]  # fmt: skip
    state = decode(orjson.dumps([2, scalars, {"inputs": '{"a":1}', "v::start": {"x": 1}}]))
    assert (state.tokens, state.inputs, state.single_step, state.pauses) == (7, '{"a":1}', "", ())
    assert state.alarms == (Alarm(9, "again"),)
