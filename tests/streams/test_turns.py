"""Turns of one conversation that are sent at once run one after the other, without a broker."""

import asyncio
import logging
from typing import Any

import pytest

from streams import conversations
from streams.conversations import start_in_conversation
from streams.fetching import Fetcher
from streams.remembered import STARTS, row_due, waiting_key
from tests.streams.chat import CODEC, KEY, NODES, NOW, SAID, TTL_S, WAIT_S, Chat, payload
from transport.values import ValueStore

BROKEN = [NODES[0], {"type": "template-transform", "title": "wrong", "template": "{{ 1 / 0 }}"}, NODES[2]]
ASKING: list[dict[str, Any]] = [
    NODES[0],
    {
        "type": "human-input",
        "title": "ask",
        "form_content": "?",
        "user_actions": [{"id": "yes", "title": "Yes"}],
    },
]


def test_each_finds_what_those_before_it_have_left() -> None:
    chat = Chat()
    (first,) = chat.begin("one", "r1")
    assert chat.begin("two", "r2") == chat.begin("three", "r3") == []
    assert chat.run(first) == "1: - one"
    assert chat.run_next() == "2: - one\n- two"
    assert chat.run_next() == "3: - one\n- two\n- three"
    assert chat.begun == []
    assert chat.say("four", "r4").startswith("4: ")
    assert not any(key.startswith(waiting_key(KEY, 0)[:-10]) for key in chat.table)


def test_there_is_an_end_to_how_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MOST_WAITING", 2)
    chat = Chat()
    (first,) = chat.begin("one", "r1")
    assert chat.begin("two", "r2") == chat.begin("three", "r3") == []
    for _ in range(2):
        (refused,) = chat.begin("four", "r4")
        assert payload(refused)["refused"] == "2 turns of the conversation wait already"
    assert chat.run(refused) == "None"
    assert [one["kind"] for one in chat.told] == ["RELEASE"]
    assert chat.begin("three", "r3") == chat.begun == []
    assert chat.run(first) == "1: - one"
    assert chat.run_next() == "2: - one\n- two"
    assert chat.run_next() == "3: - one\n- two\n- three"
    assert chat.say("four", "r5").startswith("4: ")


def test_they_do_not_wait_where_that_is_switched_off() -> None:
    chat = Chat(wait_s=0.0)
    starts = [chat.begin("q", f"r{n}")[0] for n in range(3)]
    assert [payload(start)["system"]["dialogue_count"] for start in starts] == [1, 2, 3]


@pytest.mark.parametrize("nodes", [BROKEN, ASKING], ids=["fails", "waits for a person"])
def test_a_turn_without_an_answer_keeps_nobody_waiting(nodes: list[dict[str, Any]]) -> None:
    chat = Chat()
    chat.declare([SAID], nodes)
    (first,) = chat.begin("one", "r1")
    chat.begin("two", "r2")
    assert chat.run(first) == "None"
    assert [one["kind"] for one in chat.told] == ["RELEASE"]
    (second,) = chat.begun
    assert payload(second)["system"] == {"query": "two", "conversation_id": "c1", "dialogue_count": 2}


def test_a_turn_that_takes_too_long_is_not_waited_for() -> None:
    chat = Chat()
    (first,) = chat.begin("one", "r1")
    assert row_due(KEY, chat.table[KEY]) == NOW + TTL_S
    for n in (2, 3):
        chat.begin("q", f"r{n}", NOW + 1)
    (second,) = chat.due(NOW + WAIT_S)["run.commands"]
    assert second["workflow_run_id"] == "r2"
    chat.run(first)  # late, and therefore no reason for the third to begin
    assert chat.begun == []
    chat.run(second)
    assert [start["workflow_run_id"] for start in chat.begun] == ["r3"]


def test_a_turn_that_was_lost_is_not_waited_for_longer_than_others() -> None:
    chat = Chat()
    chat.begin("one", "r1")
    assert chat.begin("two", "r2", NOW + 2 * WAIT_S) == []
    assert row_due(KEY, chat.table[KEY]) == NOW + WAIT_S  # at once, that is


def test_commands_may_come_twice() -> None:
    chat, twice = Chat(), Chat()
    apply = twice.tell
    twice.tell = lambda command, now=NOW: (apply(command, now), apply(command, now))[0]  # type: ignore[method-assign]
    answers = []
    for one in (chat, twice):
        (first,) = one.begin("one", "r1")
        for n in (2, 3):
            one.begin("q", f"r{n}")
        answers.append([one.run(first), one.run_next(), one.run_next(), one.begun])
    assert answers[0] == answers[1]
    assert chat.table == twice.table


def test_of_many_that_wait_each_has_its_number_and_its_place() -> None:
    chat, many = Chat(), STARTS * 2
    (first,) = chat.begin("0", "r0")
    for n in range(1, many):
        chat.begin(str(n), f"r{n}")
    chat.begin("1", "r1")  # again, while it waits
    chat.run(first)
    for n in range(1, many):
        assert chat.run_next().startswith(f"{n + 1}: ")
    assert chat.begun == []
    assert len([key for key in chat.table if "/g" in key]) == STARTS


def test_a_conversation_is_not_forgotten_while_a_turn_waits() -> None:
    chat = Chat(ttl_s=WAIT_S / 2)
    chat.begin("one", "r1")
    chat.begin("two", "r2")
    (second,) = chat.due(NOW + WAIT_S)["run.commands"]
    assert payload(second)["system"]["dialogue_count"] == 2


def test_a_start_that_waits_may_be_large() -> None:
    chat = Chat()
    (first,) = chat.begin("one", "r1")
    chat.begin("x" * 2_000_000, "r2")
    assert max(map(len, chat.table.values())) < 1000
    chat.run(first)
    assert len(chat.whole(chat.begun[0])["system"]["query"]) == 2_000_000


def test_what_is_in_use_is_stored_anew_and_what_is_gone_is_done_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat = Chat()
    chat.say("x" * 2_000_000, "r1")
    chat.uploads.clear()
    (start,) = chat.begin("two", "r2")
    stored = [upload for upload in chat.uploads if KEY in upload.key]
    assert {upload.anew for upload in stored} == {True}
    chat.run(start)
    asyncio.run(chat.storage.delete([upload.key for upload in chat.uploads if KEY in upload.key]))
    chat.conversations._fetcher = Fetcher(ValueStore(chat.storage))
    with caplog.at_level(logging.ERROR, "streams.conversations"):
        (start,) = chat.begin("three", "r3")
    assert payload(start)["values"] == {"conversation": {}}
    assert any("goes on without" in record.getMessage() for record in caplog.records)


def test_what_is_wrong_with_a_start_that_waits_is_not_the_failure_of_the_turn_before() -> None:
    chat = Chat()
    (first,) = chat.begin("one", "r1")
    chat.begin("two", "r2")
    chat.feed.definitions.workflows.clear()
    turn = start_in_conversation(CODEC, chat.command("three", "r3"), "c1")
    with pytest.raises(Exception, match="flow"):
        chat.tell(turn)
    chat.declare([SAID])
    assert chat.run(first) == "1: - one"
    assert chat.run_next() == "2: - one\n- two"
