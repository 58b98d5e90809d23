"""What turns of conversations leave to each other, without a broker."""

from itertools import permutations
from typing import Any

import pytest

from schemas.ids import conversation_key
from streams.conversations import start_in_conversation
from streams.remembered import STARTS, Remembered, row_due
from tests.streams.chat import CODEC, KEY, NODES, NOW, SAID, TTL_S, Chat, payload
from tests.streams.kept import KeptRows


def test_a_turn_finds_what_the_one_before_has_written() -> None:
    chat = Chat()
    assert chat.say("one", "r1") == "1: - one"
    assert chat.say("two", "r2") == "2: - one\n- two"
    (start,) = chat.begin("three", "r3")
    assert payload(start)["values"] == {"conversation": {"said": ["one", "two"]}}
    assert payload(start)["system"]["dialogue_count"] == 3


def test_a_turn_that_is_begun_again_is_told_the_same() -> None:
    chat = Chat()
    chat.say("one", "r1")
    first = chat.begin("two", "r2")
    chat.run(first[0])
    chat.say("three", "r3")
    assert chat.begin("two", "r2") == first
    assert payload(chat.begin("four", "r4")[0])["system"]["dialogue_count"] == 4


def test_commands_may_come_twice_and_in_any_order() -> None:
    chat = Chat(wait_s=0.0)
    chat.say("one", "r1")
    before, after = KeptRows(chat.table), len(chat.told)
    (second,), (third,) = chat.begin("two", "r2"), chat.begin("three", "r3")
    begun = KeptRows(chat.table)
    chat.run(second)
    chat.run(third)
    expected, told = dict(chat.table), chat.told[after:]
    assert len(told) == 4
    assert expected != begun != before
    for order in permutations(told):
        chat.table = KeptRows(begun)
        for command in (*order, *order[::-1], *chat.told[:after]):
            chat.tell(command)
        assert chat.table == expected


def test_of_turns_that_overlap_the_later_one_has_the_last_word() -> None:
    chat = Chat(wait_s=0.0)
    (first,), (second,) = chat.begin("one", "r1"), chat.begin("two", "r2")
    chat.run(second)
    chat.run(first)
    assert payload(chat.begin("three", "r3")[0])["values"]["conversation"] == {"said": ["two"]}


def test_a_node_with_a_memory_is_given_the_turns() -> None:
    chat = Chat(most_turns=2)
    for n in range(1, 5):
        answer = chat.say(f"q{n}", f"r{n}")
    memory = {"type": "answer", "title": "answer", "answer": "x", "memory": {"window": {"enabled": False}}}
    chat.declare([SAID], [*NODES[:2], memory])
    turns = payload(chat.begin("q5", "r5")[0])["values"]["#history"]["turns"]
    assert [turn["query"] for turn in turns] == ["q3", "q4"]
    assert turns[-1]["answer"] == answer


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ([SAID], {"said": ["one"]}),
        ([], {}),
        ([{**SAID, "value_type": "number", "value": 7}], {}),
        ([{**SAID, "value_type": "array[any]"}], {"said": ["one"]}),
        ([SAID, {**SAID, "name": "new"}], {"said": ["one"]}),
    ],
)
def test_the_version_that_runs_says_which_variables_there_are(
    declared: list[dict[str, Any]], found: dict[str, Any]
) -> None:
    chat = Chat()
    chat.say("one", "r1")
    chat.declare(declared, NODES[::2])
    assert payload(chat.begin("two", "r2")[0])["values"]["conversation"] == found


def test_a_conversation_that_nobody_goes_on_with_is_forgotten() -> None:
    chat = Chat()
    chat.say("one", "r1")
    assert row_due(KEY, chat.table[KEY]) == NOW + TTL_S
    assert {row_due(key, row) for key, row in chat.table.items() if key != KEY} == {None}
    chat.due(NOW + TTL_S)
    assert chat.table == {}
    chat.tell(chat.told[-1])
    assert chat.table == {}  # what its last run says late finds nothing
    assert payload(chat.begin("two", "r2")[0])["system"]["dialogue_count"] == 1


def test_only_the_last_starts_are_kept() -> None:
    chat = Chat(wait_s=0.0)
    for n in range(STARTS + 5):
        chat.begin("q", f"r{n}")
    assert len([key for key in chat.table if "/g" in key]) == STARTS


def test_large_values_are_kept_elsewhere_and_come_back() -> None:
    chat = Chat()
    large = "x" * 2_000_000
    chat.say(large, "r1")
    assert max(map(len, chat.table.values())) < 1000
    given = chat.whole(chat.begin("two", "r2")[0])["values"]["conversation"]["said"]
    # Not compared as a whole: a difference of megabytes takes minutes to be shown.
    assert [len(given), len(given[0]), given[0] == large] == [1, len(large), True]


def test_a_start_waits_for_the_definitions_that_its_sender_knew() -> None:
    chat = Chat()
    command = chat.command("one", "r1", workflows_offset=11)
    with pytest.raises(AssertionError, match="nobody waits here"):
        chat.tell(start_in_conversation(CODEC, command, "c1"))
    assert chat.table == {}


def test_conversations_of_two_apps_are_two() -> None:
    keys = {
        conversation_key(tenant, app, name) for tenant in ("t", "u") for app in ("a", "b") for name in "xy"
    }
    assert len(keys) == 8


def test_rows_survive() -> None:
    remembered = Remembered("t", 12.5)
    assert remembered.number("r1") == remembered.number("r1") == 1
    remembered.write(1, 2, {"a": {"b": [None]}})
    assert Remembered.decode(*remembered.encode()) == remembered
