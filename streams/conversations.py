"""The stage of conversations: gives each turn of a chat what the turns before it have left.

A run of a chat begins here. Once the turn before it is over, it is sent on to the engine with its number, the
variables and the turns so far: nothing there waits for an answer. What it changes comes back as commands of
its own, and so does its end. See docs/adr/0012.
"""

import logging
from collections.abc import Sequence
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
from streams.remembered import (
    STARTS,
    Remembered,
    given_key,
    row_due,
    turn_key,
    turns_of,
    variables_key,
    waiting_key,
)
from streams.shell.rows import BREAK
from streams.shell.stage import Decision, Kept, NotYet, Record, Stage
from transport.definitions import WORKFLOWS
from transport.errors import ObjectMissing
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.values import Upload

log = logging.getLogger(__name__)

MOST_WAITING = 1_000
"""Turns of one conversation: they are named in its first row, which is written with each."""

_TOPIC = "conversation.commands"
_TRACE = "traceparent"

_Headers = tuple[tuple[str, bytes], ...]


class Conversations:
    """Reads `conversation.commands`; keeps `conversations`; writes `run.commands`, and the starts of turns
    that have waited to where it has read them."""

    def __init__(
        self,
        feed: DefinitionsFeed,
        codec: Codec,
        fetcher: Fetcher,
        *,
        most_turns: int,
        ttl_s: float,
        wait_s: float,
    ) -> None:
        """`most_turns`: kept of each conversation; `ttl_s`: how long one is kept that nobody goes on with;
        `wait_s`: how long a turn waits for the one before, 0: not at all."""
        self._feed = feed
        self._library = Library(feed.definitions)
        self._codec = codec
        self._fetcher = fetcher
        self._most_turns = most_turns
        self._ttl_s = ttl_s
        self._wait_s = wait_s

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        return Stage(
            "conversations",
            _TOPIC,
            self.decide,
            table="conversations",
            due=row_due,
            on_due=self.on_due,
            owner=lambda _, row: Remembered.decode(row).tenant_id,
        )

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One command. Raises `NotYet` while its sender knew more workflows than we do, and while a value is
        under way."""
        command = self._codec.decode("ConversationCommand", record.value)
        place = _Place(command["conversation_key"], command["tenant_id"], kept, self._fetcher)
        if (begun_anew := self._without_erased(command, record, kept)) is not None:
            return begun_anew
        decision = Decision()
        with self._fetcher.deciding():
            self._carry_out(command, record, place, now, decision)
        return decision

    def _carry_out(
        self, command: AvroRecord, record: Record, place: "_Place", now: float, decision: Decision
    ) -> None:
        if command["kind"] == "START":
            self._start(record, command["start"], place, now, decision)
        elif (remembered := place.remembered()) is not None:
            payload = self._whole(command)
            remembered.forget_s = now + self._ttl_s
            if command["kind"] == "SET":
                remembered.write(payload["turn"], payload["step"], payload["variables"])
            else:
                if command["kind"] == "TURN":
                    self._keep_turn(payload, place, decision)
                if payload["turn"] == remembered.running:
                    self._go_on(remembered, place, now, decision)
            place.keep(remembered, decision)

    def on_due(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """The turn under way has been waited for long enough, or nobody has gone on with the conversation."""
        remembered = Remembered.decode(row)
        if not remembered.waiting:
            return Decision(writes=dict.fromkeys([key, *kept.under(f"{key}{BREAK}")]))
        log.warning("conversation %s: turn %d is not waited for any longer", key, remembered.running)
        decision, place = Decision(), _Place(key, remembered.tenant_id, kept, self._fetcher)
        with self._fetcher.deciding():
            self._go_on(remembered, place, now, decision)
        decision.writes[key], _ = remembered.encode()
        return decision

    def _without_erased(self, command: AvroRecord, record: Record, kept: Kept) -> Decision | None:
        """Of a tenant that was erased: what a command from before comes to, and one that finds what was kept
        then. That goes, and the command comes again. None for all others."""
        until, key = self._feed.definitions.erased.get(command["tenant_id"]), command["conversation_key"]
        if until is None:
            return None
        row = kept.get(key)
        is_old = row is not None and (Remembered.decode(row).forget_s - self._ttl_s) * 1e6 < until
        is_late = command["issued_at"] < until
        if not is_old and not is_late:
            return None
        again = Send(_TOPIC, record.key, record.value, tuple(record.headers))
        writes = dict.fromkeys([key, *kept.under(f"{key}{BREAK}")]) if is_old else {}
        return Decision([] if is_late else [again], writes)

    def _start(self, record: Record, encoded: bytes, place: "_Place", now: float, decision: Decision) -> None:
        """The run begins with what its conversation gives it, or waits for its turn."""
        start = self._codec.decode("RunCommand", encoded)
        needed = start["workflows_offset"]
        if self._feed.offset(WORKFLOWS) < needed:
            raise NotYet(partial(self._feed.reach, WORKFLOWS, needed))
        owner = Owner(start["tenant_id"], start["workflow_run_id"])
        payload = orjson.loads(self._fetcher.document(owner, start["payload"]))
        workflow = self._library.find(start["workflow_id"], start["version"])
        remembered = place.remembered() or Remembered(owner.tenant_id, now + self._ttl_s)
        was_here = owner.id in remembered.starts
        headers = tuple(header for header in record.headers if header[0] == _TRACE)
        if not was_here and len(remembered.waiting) >= MOST_WAITING:
            # No turn has the number, so that its end is that of none.
            payload["system"]["dialogue_count"] = 0
            payload["refused"] = f"{MOST_WAITING} turns of the conversation wait already"
            self._begin(start, payload, owner, headers, decision)
            return
        turn = remembered.number(owner.id)
        given = place.read(given_key(place.key, turn)) if was_here else None
        if given is None:
            remembered.forget_s = now + self._ttl_s
            is_over = was_here and turn != remembered.running and turn not in remembered.waiting
            if not is_over and not self._may_begin(remembered, turn, now):
                place.write(waiting_key(place.key, turn), _with_trace(record.value or b"", headers), decision)
                place.keep(remembered, decision)
                return
            given = self._give(remembered, workflow, place, turn, decision)
        payload["system"]["dialogue_count"] = turn
        payload["values"] = {CONVERSATION: given["variables"]}
        if _remembers(workflow):
            payload["values"][HISTORY] = {
                TURNS: [t for t in map(place.read, given["turns"]) if t is not None]
            }
        self._begin(start, payload, owner, headers, decision)

    def _begin(
        self, start: AvroRecord, payload: Any, owner: Owner, headers: _Headers, decision: Decision
    ) -> None:
        """The engine is told."""
        document = packed(orjson.dumps(payload).decode(), owner, decision.uploads)
        value = self._codec.encode("RunCommand", {**start, "payload": document})
        decision.sends.append(Send("run.commands", owner.id.encode(), value, headers))

    def _may_begin(self, remembered: Remembered, turn: int, now: float) -> bool:
        """Whether the turn does so now; else it waits."""
        if self._wait_s and not remembered.may_begin(turn):
            remembered.wait(turn)
            return False
        remembered.begin(turn, now + self._wait_s)
        return True

    @staticmethod
    def _give(
        remembered: Remembered, workflow: Workflow, place: "_Place", turn: int, decision: Decision
    ) -> dict[str, Any]:
        """What the turn finds, which is kept for a start that comes again."""
        given = {"variables": remembered.values(workflow.conversation_variables), "turns": place.turns()}
        place.write(given_key(place.key, turn), orjson.dumps(given), decision)
        if turn > STARTS:
            decision.writes[given_key(place.key, turn - STARTS)] = None
        place.keep(remembered, decision)
        return given

    def _go_on(self, remembered: Remembered, place: "_Place", now: float, decision: Decision) -> None:
        """The next turn begins, if one waits. Its start is read once more, so that what is wrong with it is
        its own failure and not that of the turn before."""
        while (turn := remembered.go_on(now + self._wait_s)) is not None:
            key = waiting_key(place.key, turn)
            kept = place.row(key)
            decision.writes[key] = None
            if kept is not None:
                headers, value = _without_trace(kept)
                decision.sends.append(Send(_TOPIC, place.key.encode(), value, headers))
                return

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
        return Remembered.decode(row, self.row(variables_key(self.key)) or b"{}")

    def keep(self, remembered: Remembered, decision: Decision) -> None:
        """Adds its rows to the decision."""
        decision.writes[self.key], variables = remembered.encode()
        self.write(variables_key(self.key), variables, decision)

    def read(self, key: str) -> Any:
        """A further row that is JSON; None where there is none."""
        row = self.row(key)
        return None if row is None else orjson.loads(row)

    def turns(self) -> list[str]:
        """The keys of the turns that have ended, the oldest first."""
        return turns_of(self.key, self._kept.under(f"{self.key}{BREAK}"))

    def write(self, key: str, row: bytes, decision: Decision) -> None:
        """Adds the row to the decision."""
        uploads: list[Upload] = []
        decision.writes[key] = packed_row(row, self._owner, uploads)
        # A conversation may outlive what is old in the storage: an object in use must not look so.
        decision.uploads += [upload._replace(anew=True) for upload in uploads]

    def row(self, key: str) -> bytes | None:
        """None where there is none, or none any more. Raises `NotYet` while it is under way."""
        row = self._kept.get(key)
        digest = None if row is None else row_digest(row)
        if digest is None:
            return row
        try:
            return self._fetcher.content(self._owner, digest)
        except ObjectMissing as missing:
            log.error("conversation %s goes on without %s: %s", self.key, key, missing)
            return None


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


def _with_trace(value: bytes, headers: Sequence[tuple[str, bytes]]) -> bytes:
    """A message as a row: its traceparent, which may be empty, and its value."""
    return b"%b\n%b" % (dict(headers).get(_TRACE, b""), value)


def _without_trace(row: bytes) -> tuple[_Headers, bytes]:
    """The headers and the value of such a row."""
    trace, _, value = row.partition(b"\n")
    return (((_TRACE, trace),) if trace else ()), value
