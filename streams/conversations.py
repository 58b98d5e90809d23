"""The stage of conversations: gives each turn of a chat what the turns before it have left.

A run of a chat begins here. It is sent on to the engine with its number, the variables and the turns so far:
nothing there waits for an answer. What it changes comes back as commands of its own. See docs/adr/0012.
"""

from functools import partial
from typing import Any

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import conversation_key
from schemas.models import Workflow
from schemas.references import MARK, references_in, resolved
from streams.engine.pool import CONVERSATION, HISTORY, TURNS
from streams.fetching import Fetcher
from streams.library import Library
from streams.offload import Owner, packed, packed_row, row_digest
from streams.remembered import STARTS, Remembered, given_key, row_due, turn_key, turns_of, variables_key
from streams.shell.rows import BREAK
from streams.shell.stage import Decision, Kept, NotYet, Record, Stage
from transport.definitions import WORKFLOWS
from transport.errors import ObjectMissing
from transport.feed import DefinitionsFeed
from transport.producer import Send


class Conversations:
    """Reads `conversation.commands`; keeps `conversations`; writes `run.commands`."""

    def __init__(
        self, feed: DefinitionsFeed, codec: Codec, fetcher: Fetcher, *, most_turns: int, ttl_s: float
    ) -> None:
        """`most_turns`: kept of each conversation; `ttl_s`: how long one is kept that nobody goes on with."""
        self._feed = feed
        self._library = Library(feed.definitions)
        self._codec = codec
        self._fetcher = fetcher
        self._most_turns = most_turns
        self._ttl_s = ttl_s

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        source, table = "conversation.commands", "conversations"
        return Stage("conversations", source, self.decide, table=table, due=row_due, on_due=self.forget)

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One command. Raises `NotYet` while its sender knew more workflows than we do, and while a value is
        under way."""
        command = self._codec.decode("ConversationCommand", record.value)
        place = _Place(command["conversation_key"], command["tenant_id"], kept, self._fetcher)
        decision = Decision()
        if command["kind"] == "START":
            start = self._started(
                self._codec.decode("RunCommand", command["start"]), place, now + self._ttl_s, decision
            )
            headers = tuple(h for h in record.headers if h[0] == "traceparent")
            key, value = start["workflow_run_id"].encode(), self._codec.encode("RunCommand", start)
            decision.sends.append(Send("run.commands", key, value, headers))
        elif (remembered := place.remembered()) is not None:
            payload = self._whole(command)
            remembered.due_s = now + self._ttl_s
            if command["kind"] == "SET":
                remembered.write(payload["turn"], payload["step"], payload["variables"])
            else:
                self._keep_turn(payload, place, decision)
            place.keep(remembered, decision)
        self._fetcher.used(command["workflow_run_id"])
        self._fetcher.used(place.key)
        return decision

    def forget(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """Nobody has gone on with it."""
        return Decision(writes=dict.fromkeys([key, *kept.under(f"{key}{BREAK}")]))

    def _started(self, start: AvroRecord, place: "_Place", due_s: float, decision: Decision) -> AvroRecord:
        """What the run is told, with what it is given by its conversation."""
        needed = start["workflows_offset"]
        if self._feed.offset(WORKFLOWS) < needed:
            raise NotYet(partial(self._feed.reach, WORKFLOWS, needed))
        owner = Owner(start["tenant_id"], start["workflow_run_id"])
        payload = orjson.loads(self._fetcher.document(owner, start["payload"]))
        workflow = self._library.find(start["workflow_id"], start["version"])
        remembered = place.remembered() or Remembered(due_s)
        known = start["workflow_run_id"] in remembered.starts
        turn = remembered.begin(start["workflow_run_id"])
        given = place.read(given_key(place.key, turn)) if known else None
        if given is None:
            given = {"variables": remembered.values(workflow.conversation_variables), "turns": place.turns()}
            place.write(given_key(place.key, turn), orjson.dumps(given), decision)
            if turn > STARTS:
                decision.writes[given_key(place.key, turn - STARTS)] = None
            remembered.due_s = due_s
            place.keep(remembered, decision)
        payload["system"]["dialogue_count"] = turn
        payload["values"] = {CONVERSATION: given["variables"]}
        if _remembers(workflow):
            payload["values"][HISTORY] = {
                TURNS: [t for t in map(place.read, given["turns"]) if t is not None]
            }
        document = orjson.dumps(payload).decode()
        return {**start, "payload": packed(document, owner, decision.uploads)}

    def _keep_turn(self, payload: Any, place: "_Place", decision: Decision) -> None:
        turn = {"query": payload["query"], "answer": payload["answer"]}
        key = turn_key(place.key, payload["turn"])
        keys = sorted({*place.turns(), key})
        place.write(key, orjson.dumps(turn), decision)
        decision.writes.update(dict.fromkeys(keys[: -self._most_turns]))

    def _whole(self, command: AvroRecord) -> Any:
        """The payload with the values in it that are elsewhere: they belong to the run, which may go."""
        owner = Owner(command["tenant_id"], command["workflow_run_id"])
        payload = orjson.loads(self._fetcher.document(owner, command["payload"]))
        brought: dict[str, Any] = {}
        for found in references_in(payload):
            digest = str(found[MARK])
            try:
                brought[digest] = orjson.loads(self._fetcher.content(owner, digest))
            except ObjectMissing:
                brought[digest] = None
        return resolved(payload, brought)


class _Place:
    """The rows of one conversation."""

    def __init__(self, key: str, tenant_id: str, kept: Kept, fetcher: Fetcher) -> None:
        self.key = key
        self._owner = Owner(tenant_id, key)
        self._kept = kept
        self._fetcher = fetcher

    def remembered(self) -> Remembered | None:
        """None for a conversation that has not begun, or is forgotten."""
        row = self._kept.get(self.key)
        if row is None:
            return None
        return Remembered.decode(row, self._row(variables_key(self.key)) or b"{}")

    def keep(self, remembered: Remembered, decision: Decision) -> None:
        """Adds its rows to the decision."""
        decision.writes[self.key], variables = remembered.encode()
        self.write(variables_key(self.key), variables, decision)

    def read(self, key: str) -> Any:
        """A further row; None where there is none."""
        row = self._row(key)
        return None if row is None else orjson.loads(row)

    def turns(self) -> list[str]:
        """The keys of the turns that have ended, the oldest first."""
        return turns_of(self.key, self._kept.under(f"{self.key}{BREAK}"))

    def write(self, key: str, row: bytes, decision: Decision) -> None:
        """Adds the row to the decision."""
        decision.writes[key] = packed_row(row, self._owner, decision.uploads)

    def _row(self, key: str) -> bytes | None:
        row = self._kept.get(key)
        digest = None if row is None else row_digest(row)
        return row if digest is None else self._fetcher.content(self._owner, digest)


def start_in_conversation(codec: Codec, command: AvroRecord, conversation_id: str) -> AvroRecord:
    """The ConversationCommand that begins a turn; `command` is the RunCommand that begins its run."""
    names = ("command_id", "tenant_id", "app_id", "workflow_run_id", "issued_at")
    return {
        **{name: command[name] for name in names},
        "conversation_key": conversation_key(command["tenant_id"], command["app_id"], conversation_id),
        "conversation_id": conversation_id,
        "kind": "START",
        "payload": "{}",
        "start": codec.encode("RunCommand", command),
    }


def _remembers(workflow: Workflow) -> bool:
    """Whether a node of it looks at the turns so far."""
    return any((node.get("data") or {}).get("memory") for node in workflow.graph.get("nodes") or ())
