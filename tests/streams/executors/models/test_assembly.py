"""Replies from pieces, as servers cut them."""

from typing import Any

import pytest

from streams.executors.models.assembly import Assembly


@pytest.mark.parametrize(
    ("places", "ids"),
    [
        ([{}, {}, {}, {}], ["a", None, "b", None]),  # no index: an id begins a call
        ([{"index": 0}] * 4, ["a", None, "b", None]),  # as Gemini numbers them
        ([{"index": 0}] * 2 + [{"index": 1}] * 2, ["a", None, "b", None]),
        ([{"index": 0}] * 2 + [{"index": 1}] * 2, ["a", "a", "b", "b"]),
        ([{"index": 0}] * 2 + [{"index": 1}] * 2, ["a", "other", "b", "another"]),  # only a name begins one
    ],
)
def test_the_pieces_of_each_call_come_together(places: list[dict[str, int]], ids: list[str | None]) -> None:
    functions = [
        {"name": "weather", "arguments": '{"city":'},
        {"arguments": ' "Bern"}'},
        {"name": "time", "arguments": ""},
        {"name": None, "arguments": "{}"},
    ]
    reply = Assembly()
    for place, given, function in zip(places, ids, functions, strict=True):
        piece: dict[str, Any] = {**place, "id": given, "function": function}
        reply.add({"choices": [{"delta": {"tool_calls": [piece]}}]})
    found = [(call.name, call.arguments) for call in reply.tool_calls()]
    assert found == [("weather", '{"city": "Bern"}'), ("time", "{}")]
    if None in ids:
        assert [call.id for call in reply.tool_calls()] == ["a", "b"]


def test_ids_that_are_missing_are_not_those_of_earlier_calls() -> None:
    reply = Assembly()
    reply.add({"choices": [{"message": {"tool_calls": [{"function": {"name": "time", "arguments": "{}"}}]}}]})
    assert [call.id for call in reply.tool_calls()] == ["call_0"]
    assert [call.id for call in reply.tool_calls(3)] == ["call_3"]
