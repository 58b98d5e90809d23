"""JSON in replies: found wherever it is, and never at any price."""

from typing import Any

import pytest

from streams.executors.models.messages import ToolCall
from streams.executors.models.reasoning import separated
from streams.executors.models.replies import find_object


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{}", {}),
        ('  [{"a": 1}]\n', {"a": 1}),
        ('[{"a": 1}, {"b": 2}] or not', {"a": 1}),
        ('x } ```json\n{"a": "}{"}\n``` y', {"a": "}{"}),
        ('{a} then {"b": "\\"}"}', {"b": '"}'}),
        ('<think>{"a": 1}</think>{"b": 2}', {"b": 2}),
        ("{'a': True, 'b': [1,", {"a": True, "b": [1]}),
        ('```\n{a}\n``` or ```\n{"b": 1}```', {"b": 1}),
        ('```{"a": 1, "b": ``` {"c": 2}', {"c": 2}),
        ("nothing", None),
        ("[1, 2]", None),
        ("{", None),
    ],
)
async def test_what_is_found(text: str, found: Any) -> None:
    assert await find_object(text) == found


@pytest.mark.parametrize("text", ["{" * 100_000, '{"a":' * 20_000, "[" * 100_000 + "{", "x{ " * 30_000])
async def test_what_is_nested_beyond_reason_is_given_up(text: str) -> None:
    assert await find_object(text) is None
    assert ToolCall("id", "name", text).parsed() == {}


@pytest.mark.parametrize("text", ["```json" + "\n" * 1_000_000, "```" + "a" * 1_000_000, "``` " * 300_001])
async def test_a_code_block_that_is_never_closed_is_read_once(text: str) -> None:
    assert await find_object(text) is None


@pytest.mark.parametrize(
    ("text", "said", "thought"),
    [
        ("a<think>b<think>c</think>d</think>e", "ad</think>e", "b<think>c"),
        ("<think></think>a\n \n\nb", "a\n\nb", ""),
        ("<think >a</think><THINK\nx>b", "", "a\nb"),
        ("<think>" * 50_000, "", "<think>" * 49_999),
    ],
)
def test_reasoning_is_told_apart_in_one_pass(text: str, said: str, thought: str) -> None:
    assert separated(text) == (said, thought)
