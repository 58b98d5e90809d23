"""Turns of conversations, without a broker: the stage of conversations and the engine feed each other."""

import asyncio
from collections.abc import Callable
from itertools import pairwise, permutations
from typing import Any, cast

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.ids import conversation_key
from schemas.models import Workflow, WorkflowType
from streams.conversations import Conversations, start_in_conversation
from streams.engine.options import Options
from streams.fetching import Fetcher
from streams.offload import Offload, Owner
from streams.remembered import STARTS, Remembered, row_due
from streams.runner import Runner
from streams.shell.stage import Decision, NotYet, Record
from tests.streams.kept import KeptRows
from transport.definitions import WORKFLOWS, Definitions
from transport.feed import DefinitionsFeed
from transport.storage import Storage
from transport.values import ValueStore

CODEC = SingleObjectCodec()
NOW, TTL_S = 1_000_000.0, 1000.0
KEY = conversation_key("t", "app", "c1")
SCHEMAS = {
    "run.commands": "RunCommand",
    "conversation.commands": "ConversationCommand",
    "runs": "WorkflowRun",
}

# Appends what the user says to a list, and answers with the number of the turn and the list.
NODES: list[dict[str, Any]] = [
    {"type": "start", "title": "start", "variables": []},
    {
        "type": "assigner",
        "title": "remember",
        "version": "2",
        "items": [
            {
                "variable_selector": ["conversation", "said"],
                "operation": "append",
                "input_type": "variable",
                "value": ["sys", "query"],
            }
        ],
    },
    {"type": "answer", "title": "answer", "answer": "{{#sys.dialogue_count#}}: {{#conversation.said#}}"},
]
SAID = {"id": "v1", "name": "said", "value_type": "array[string]", "value": []}


def graph(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    titles = [node["title"] for node in nodes]
    return {
        "nodes": [{"id": node["title"], "data": node} for node in nodes],
        "edges": [
            {"id": f"{a}-{b}", "source": a, "target": b, "sourceHandle": "source"}
            for a, b in pairwise(titles)
        ],
    }


class Feed:
    def __init__(self) -> None:
        self.definitions = Definitions()

    def offset(self, topic: str) -> int:
        return 10

    async def reach(self, topic: str, offset: int) -> None:
        raise AssertionError("nobody waits here")


class Chat:
    """The two stages with their tables. `told` are the commands that the conversation has had."""

    def __init__(self, **settings: Any) -> None:
        self.feed = Feed()
        self.declare([SAID])
        self.values = ValueStore(Storage(MemoryStore()))
        feed, self.fetcher = cast(DefinitionsFeed, self.feed), Fetcher(self.values)
        settings = {"most_turns": 100, "ttl_s": TTL_S, **settings}
        self.conversations = Conversations(feed, CODEC, self.fetcher, **settings)
        options = {"fetcher": self.fetcher, "offload": Offload()}
        self.runner = Runner(feed, CODEC, Options(), 3600.0, lambda *_: None, **options)
        self.table = KeptRows()
        self.told: list[dict[str, Any]] = []

    def declare(self, variables: list[dict[str, Any]], nodes: list[dict[str, Any]] = NODES) -> None:
        workflow = Workflow(
            id="flow", app_id="app", type=WorkflowType.CHAT, version="1", graph=graph(nodes),
            conversation_variables=variables, tenant_id="t",
        )  # fmt: skip
        self.feed.definitions.apply(WORKFLOWS, workflow.key, workflow)

    def say(self, query: str, run_id: str) -> str:
        """One turn, to its end; what it answers."""
        (start,) = self.begin(query, run_id)
        return self.run(start)

    def begin(self, query: str, run_id: str, now: float = NOW) -> list[dict[str, Any]]:
        """What the engine is told of a turn."""
        return self.tell(start_in_conversation(CODEC, self.command(query, run_id), "c1"), now)["run.commands"]

    def run(self, start: dict[str, Any]) -> str:
        """The run of a START, whose changes go to the conversation."""
        record = Record("run.commands", 0, 0, b"", CODEC.encode("RunCommand", start), (), 0)
        sent = decoded(self.decide(lambda: self.runner.decide(record, KeptRows(), NOW)))
        for command in sent["conversation.commands"]:
            self.told.append(command)
            self.tell(command)
        return str(orjson.loads(sent["runs"][-1]["outputs"])["answer"])

    def tell(self, command: dict[str, Any], now: float = NOW) -> dict[str, list[dict[str, Any]]]:
        value = CODEC.encode("ConversationCommand", command)
        record = Record("conversation.commands", 0, 0, KEY.encode(), value, (), 0)
        decision = self.decide(lambda: self.conversations.decide(record, self.table, now))
        for key, row in decision.writes.items():
            if row is None:
                self.table.pop(key, None)
            else:
                self.table[key] = row
        return decoded(decision)

    def decide(self, decide: Callable[[], Decision]) -> Decision:
        """As the shell: asks again for what is under way, and stores the uploads."""
        while True:
            try:
                decision = decide()
            except NotYet as not_yet:
                asyncio.run(not_yet.wait())
            else:
                asyncio.run(self.values.put_all(decision.uploads))
                return decision

    def whole(self, start: dict[str, Any]) -> dict[str, Any]:
        """The payload, which may be elsewhere."""
        owner = Owner("t", start["workflow_run_id"])
        while True:
            try:
                return payload({"payload": self.fetcher.document(owner, start["payload"])})
            except NotYet as not_yet:
                asyncio.run(not_yet.wait())

    def command(self, query: str, run_id: str, **changes: Any) -> dict[str, Any]:
        payload = {"inputs": {}, "system": {"query": query, "conversation_id": "c1"}}
        return {
            "command_id": f"start/{run_id}", "kind": "START", "workflow_run_id": run_id, "tenant_id": "t",
            "app_id": "app", "workflow_id": "flow", "version": "1", "workflows_offset": 0,
            "issued_at": int(NOW * 1e6), "payload": orjson.dumps(payload).decode(), "trigger_log": None,
            **changes,
        }  # fmt: skip


def decoded(decision: Decision) -> dict[str, list[dict[str, Any]]]:
    sent: dict[str, list[dict[str, Any]]] = {topic: [] for topic in SCHEMAS}
    for send in decision.sends:
        if send.topic in SCHEMAS:
            sent[send.topic].append(CODEC.decode(SCHEMAS[send.topic], send.value))
    return sent


def payload(command: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(command["payload"])
    return found


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
    chat = Chat()
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
    chat = Chat()
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
    decision = chat.conversations.forget(KEY, chat.table[KEY], chat.table, NOW + TTL_S)
    assert decision.writes == dict.fromkeys(chat.table)
    chat.table.clear()
    chat.tell(chat.told[-1])
    assert chat.table == {}  # what its last run says late finds nothing
    assert payload(chat.begin("two", "r2")[0])["system"]["dialogue_count"] == 1


def test_only_the_last_starts_are_kept() -> None:
    chat = Chat()
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
    remembered = Remembered(12.5)
    assert remembered.begin("r1") == remembered.begin("r1") == 1
    remembered.write(1, 2, {"a": {"b": [None]}})
    assert Remembered.decode(*remembered.encode()) == remembered
