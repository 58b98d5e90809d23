"""A chat without a broker: the stage of conversations and the engine, which feed each other."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import orjson
from obstore.store import MemoryStore

from schemas.codec import SingleObjectCodec
from schemas.ids import conversation_key
from schemas.models import Workflow, WorkflowType
from streams.conversations import Conversations, start_in_conversation
from streams.engine.options import Options
from streams.fetching import Fetcher
from streams.offload import Offload, Owner
from streams.remembered import row_due
from streams.runner import Runner
from streams.shell.stage import Decision, NotYet, Record
from tests.streams.kept import KeptRows
from transport.definitions import WORKFLOWS, Definitions
from transport.feed import DefinitionsFeed
from transport.storage import Storage
from transport.values import Upload, ValueStore

CODEC = SingleObjectCodec()
NOW, TTL_S, WAIT_S = 1_000_000.0, 1000.0, 60.0
TRACE = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
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
    """The two stages with their tables. `told` are the commands that the conversation has had from runs,
    `begun` what the engine was told of turns that had waited, `uploads` what the conversation has stored."""

    def __init__(self, **settings: Any) -> None:
        self.feed = Feed()
        self.declare([SAID])
        self.storage = Storage(MemoryStore())
        self.values = ValueStore(self.storage)
        feed, self.fetcher = cast(DefinitionsFeed, self.feed), Fetcher(self.values)
        settings = {"most_turns": 100, "ttl_s": TTL_S, "wait_s": WAIT_S, **settings}
        self.conversations = Conversations(feed, CODEC, self.fetcher, **settings)
        options = {"fetcher": self.fetcher, "offload": Offload(), "ended": lambda _: None}
        self.runner = Runner(feed, CODEC, Options(), 3600.0, lambda *_: None, **options)
        self.table = KeptRows()
        self.told: list[dict[str, Any]] = []
        self.begun: list[dict[str, Any]] = []
        self.uploads: list[Upload] = []

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
            self.begun += self.tell(command)["run.commands"]
        return str(orjson.loads(sent["runs"][-1]["outputs"] or "{}").get("answer"))

    def run_next(self) -> str:
        """The run of the first turn that has waited and has begun."""
        return self.run(self.begun.pop(0))

    def tell(self, command: dict[str, Any], now: float = NOW) -> dict[str, list[dict[str, Any]]]:
        """What follows, also from the commands that the conversation tells itself."""
        value = CODEC.encode("ConversationCommand", command)
        record = Record("conversation.commands", 0, 0, KEY.encode(), value, (TRACE,), 0)
        return self.apply(self.decide(lambda: self.conversations.decide(record, self.table, now)), now)

    def due(self, now: float) -> dict[str, list[dict[str, Any]]]:
        """What follows from the time alone."""
        row = self.table[KEY]
        assert row_due(KEY, row) == now
        return self.apply(self.decide(lambda: self.conversations.on_due(KEY, row, self.table, now)), now)

    def apply(self, decision: Decision, now: float) -> dict[str, list[dict[str, Any]]]:
        """Keeps the rows, and tells the conversation what it has sent to itself."""
        self.uploads += decision.uploads
        assert all(send.headers == (TRACE,) for send in decision.sends)
        for key, row in decision.writes.items():
            if row is None:
                self.table.pop(key, None)
            else:
                self.table[key] = row
        sent = decoded(decision)
        for again in sent.pop("conversation.commands"):
            sent["run.commands"] += self.tell(again, now)["run.commands"]
        return sent

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
