"""The bytes of a state hold all of it, and damaged or foreign ones are told."""

import orjson
import pytest

from streams.engine.errors import UndecodableState
from streams.engine.state import FORMAT, Frame, Join, RunState, Waiting, decode, encode

STATE = RunState(
    "run", "tenant", "app", "workflow", "v1", "hash", "app-run", "end_user", None, 4, 5,
    '{"a":1}', {"id": "log"},
    revision=1, steps=3, exceptions=1,
    frames={"": Frame({"start": {"x": [1, {"y": None}]}, "sys": {}}, {4: Join(1, -1)}), "it/0": Frame()},
    waiting={"e": Waiting("", "c", 1, 3, "start", 5, "{}", 1)},
)  # fmt: skip


def test_what_is_decoded_is_what_was_encoded() -> None:
    assert decode(encode(STATE)) == STATE


def test_a_copy_is_apart() -> None:
    copy = STATE.copy()
    copy.frames[""].values["n"] = {}
    copy.frames[""].joins.clear()
    copy.waiting.clear()
    assert decode(encode(STATE)) == STATE


def test_an_ended_run_forgets() -> None:
    state = STATE.copy()
    state.status = "SUCCEEDED"
    state.forget()
    assert state.ended
    assert decode(encode(state)) == state
    assert len(encode(state)) < 150


@pytest.mark.parametrize(
    "value",
    [b"", b"x", b"{}", b"[]", b"[1]", orjson.dumps([FORMAT, [], [], []]), orjson.dumps([FORMAT, 1, 2, 3])],
)
def test_damaged(value: bytes) -> None:
    with pytest.raises(UndecodableState, match="damaged"):
        decode(value)


def test_another_format() -> None:
    with pytest.raises(UndecodableState, match="of format 99"):
        decode(orjson.dumps([99, [], [], []]))
