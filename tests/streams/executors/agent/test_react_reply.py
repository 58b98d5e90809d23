"""What models write in a step of ReAct."""

from typing import Any

import pytest

from streams.executors.agent.react_reply import read_reply

SEARCH = '{"action": "search", "action_input": {"q": "a"}}'


@pytest.mark.parametrize(
    ("text", "thought", "arguments"),
    [
        (f"Thought: hm\nAction: {SEARCH}", "hm", {"q": "a"}),
        (f"Thought: hm\nAction:\n```json\n{SEARCH}\n```", "hm", {"q": "a"}),
        (f"Thought: hm\n\n```\n{SEARCH}\n```\nObservation: made up\nThought: so", "hm", {"q": "a"}),
        (f"Thought: {{x}} is a set\nAction: {SEARCH}", "{x} is a set", {"q": "a"}),
        (f"<think>{{\"action\": \"no\"}}</think>Thought: hm\nAction: {SEARCH}", "hm", {"q": "a"}),
        ("hm\nAction: {'action': 'search', 'action_input': {'q': 'a'},}", "hm", {"q": "a"}),
        ('hm\nAction: {"action": "search", "action_input": "{\\"q\\": \\"a\\"}"}', "hm", {"q": "a"}),
        ("Thought: hm\nAction: search\nAction Input: {\"q\": \"a\"}", "hm", {"q": "a"}),
        ("Thought: hm\nAction: search\nAction_Input:\n```json\n{\"q\": \"a\"}\n```", "hm", {"q": "a"}),
        (f"Action: [{SEARCH}]", "[", {"q": "a"}),
        ("Thought: hm\nAction: search \t\r\n \n  Action Input: {\"q\": \"a\"}", "hm", {"q": "a"}),
        ('Action: {"action": "search"}', "", {}),
        ('Action: {"action": "search", "action_input": "a"}', "", {}),
    ],
)  # fmt: skip
def test_an_action(text: str, thought: str, arguments: Any) -> None:
    reply = read_reply(text)
    assert reply.action is not None
    assert (reply.action.name, dict(reply.action.arguments)) == ("search", arguments)
    assert reply.thought == thought
    assert "made up" not in reply.text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('Thought: done\nAction: {"action": "Final Answer", "action_input": "42"}', "42"),
        ('Action: {"action": "final_answer", "action_input": {"n": 42}}', '{"n": 42}'),
        ("Thought: done\nFinal Answer: It is\n42.", "It is\n42."),
        ("Thought: It is 42.", "It is 42."),
        ('{"result": 42}', '{"result": 42}'),
        ("", ""),
        ('{"action":' * 3_000, '{"action":' * 3_000),
        ("{" * 1_000_000, "{" * 1_000_000),
        ('{"action": 1, ' * 8_000, '{"action": 1, ' * 7_999 + '{"action": 1,'),
        ("Action: a" + " " * 500_000 + "!", "a" + " " * 500_000 + "!"),
    ],
    ids=lambda text: str(text)[:40],
)
def test_an_answer(text: str, answer: str) -> None:
    reply = read_reply(text)
    assert reply.action is None
    assert reply.answer == answer
