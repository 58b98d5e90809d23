"""What an event says, and how deep."""

from typing import Any

import orjson
import pytest

from schemas.event_data import MOST_LEVELS, dump_data


def nested(levels: int) -> list[Any]:
    deep: list[Any] = []
    for _ in range(levels - 1):
        deep = [deep]
    return deep


def test_it_is_its_json() -> None:
    assert dump_data({"body": {"n": 1}, "ü": None}) == '{"body":{"n":1},"ü":null}'


def test_what_is_taken_can_be_written_where_it_comes_to_lie_deepest() -> None:
    body = nested(MOST_LEVELS)
    assert orjson.loads(dump_data({"body": body})) == {"body": body}
    batch = {"inputs": {"events": [{"body": body}]}}
    assert orjson.loads(orjson.dumps(batch)) == batch


def test_what_is_nested_deeper_is_refused() -> None:
    with pytest.raises(TypeError):
        dump_data({"body": nested(MOST_LEVELS + 1)})
