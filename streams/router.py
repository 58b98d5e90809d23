"""The first stage: decodes an event, drops duplicates into the log, starts the workflows it is meant for."""

from collections.abc import Callable, Sequence
from functools import partial

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import workflow_run_id
from schemas.models import WorkflowHead
from schemas.traces import TRACEPARENT, child, root
from schemas.triggers.schedule import ScheduleConfig
from streams.conversations import start_in_conversation
from streams.dedup import Lag, Seen, before, first_seen, part_key, postponed, replaced, row_due
from streams.engine.commands import Start
from streams.fitting import fitting_log, fitting_start
from streams.following import Headers
from streams.gates.entry import notes, retry_gate
from streams.gates.ticket import Gate, Ticket
from streams.offload import Offload, Owner
from streams.route import (
    Arrival,
    Route,
    find_routes,
    is_chat,
    refused,
    start_command,
    start_of,
    trigger_log,
    triggered_from,
)
from streams.schedules import run_ended
from streams.shell.stage import Decision, Kept, NotYet, Record, Stage
from transport.definitions import TRIGGERS, WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.telemetry.sampling import Sampler, of_event

RunWhole = Callable[[WorkflowHead, Start, float, Headers], Decision | None]
"""Workflow, start, unix time and headers to all that comes of a run which needs no further hop."""

Count = Callable[[str], None]
"""Told the outcome of each event: routed, duplicate or refused."""


class Router:
    """Reads `trigger.events`; keeps `dedup`; writes `run.commands` and `trigger.logs`."""

    def __init__(
        self,
        feed: DefinitionsFeed,
        codec: Codec,
        count: Count,
        offload: Offload,
        run_whole: RunWhole,
        sampler: Sampler | None = None,
    ) -> None:
        """`run_whole`: `streams.runner.Runner.run_whole`. `sampler`: None keeps all that begins here."""
        self._sampler = sampler or Sampler()
        self._run_whole = run_whole
        self._offload = offload
        self._feed = feed
        self._codec = codec
        self._count = count
        self._lag = Lag()

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        return Stage("route", "trigger.events", self.decide, table="dedup", due=row_due, on_due=self.expire)

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One event. Raises `NotYet` while the door knew more definitions than we do."""
        event = self._codec.decode("TriggerEvent", record.value)
        now_us = int(now * 1e6)
        self._lag.note(event["received_at"], now_us)
        if event["received_at"] < self._feed.definitions.erased.get(event["tenant_id"], 0.0):
            return Decision()
        self._wait_for(event)
        arrival = Arrival(
            event, orjson.loads(event["data"]), f"{record.topic}/{record.partition}/{record.offset}"
        )
        routes = find_routes(arrival, self._feed.definitions)
        decision = Decision([], {})
        firsts = self._firsts(record, arrival, routes, kept, now_us, decision)
        self._count("routed" if None in firsts else "duplicate")
        for route, first in zip(routes, firsts, strict=True):
            if first is not None:
                place = f"{record.topic}/{first.partition}/{first.offset}"
                route = refused(route, f"duplicate of the event at {place}")
            self._send(arrival, route, record, now, decision)
            self._tell_dependents(arrival, route, decision)
            if first is None and route.refusal is not None:
                self._release(event, route, now_us, decision)
        return decision

    def expire(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """A row whose window has passed goes, unless events are being looked at late."""
        now_us = int(now * 1e6)
        return Decision([], {key: postponed(row, now_us, self._lag.us(now_us))})

    def _wait_for(self, event: AvroRecord) -> None:
        for topic, needed in ((TRIGGERS, event["triggers_offset"]), (WORKFLOWS, event["workflows_offset"])):
            if self._feed.offset(topic) < needed:
                raise NotYet(partial(self._feed.reach, topic, needed))

    def _firsts(
        self,
        record: Record,
        arrival: Arrival,
        routes: Sequence[Route],
        kept: Kept,
        now_us: int,
        decision: Decision,
    ) -> list[Seen | None]:
        """For each way, the row of the event that this one is a duplicate of. A trigger that looks at one
        part of the deliveries has not had the event before that part has brought it."""
        event = arrival.event
        if not event["dedup_window_ms"]:
            return [None] * len(routes)
        key = event["dedup_key"]
        first = self._deduplicate(record, event, key, kept, now_us, decision)
        parts = [route.deployed.settings.part(arrival.data) if route.deployed else "" for route in routes]
        if not any(parts):
            return [first] * len(routes)
        whole = part_key(key, "")
        if first is None:
            decision.writes[whole] = decision.writes.get(key) or kept.get(key)
        elif kept.get(whole) != kept.get(key):
            # By a release that did not tell them apart: nobody knows which part has brought it.
            return [first] * len(routes)
        own = {
            part: self._deduplicate(record, event, part_key(key, part), kept, now_us, decision)
            for part in {*parts} - {""}
        }
        return [own[part] if part else first for part in parts]

    @staticmethod
    def _deduplicate(
        record: Record, event: AvroRecord, key: str, kept: Kept, now_us: int, decision: Decision
    ) -> Seen | None:
        """The row of the first event if this one is a duplicate, else None and a row is kept."""
        received_at = event["received_at"]
        row = kept.get(key)
        if row is not None:
            seen = Seen.decode(row)
            if seen.is_replay(record.partition, record.offset):
                return None
            if seen.is_later(record.partition, record.offset):
                return _seen_before(record, key, received_at, kept)
            if seen.covers(received_at):
                return seen
            decision.writes[before(key)] = replaced(seen, now_us).encode()
        window_ms = event["dedup_window_ms"]
        row = first_seen(record.partition, record.offset, received_at, window_ms, now_us).encode()
        decision.writes[key] = row
        return None

    def _send(self, arrival: Arrival, route: Route, record: Record, now: float, decision: Decision) -> None:
        headers, now_us = tuple(h for h in record.headers if h[0] == TRACEPARENT), int(now * 1e6)
        log = trigger_log(arrival, route, now_us)
        log["traceparent"] = self._traceparent(headers, arrival.event)
        if route.refusal is not None:
            decision.sends.append(self._told(self._shown(log, route, decision), headers))
            return
        assert route.workflow is not None, "a route without one says why"
        start, gates = start_of(arrival, route, log, now_us), route.gates
        conversation = start.system["conversation_id"] if is_chat(route.workflow) else None
        if route.deployed is not None and conversation is None:
            gates += retry_gate(route.deployed, start.run_id)
        if not gates and conversation is None:
            whole = self._run_whole(route.workflow, start, now, headers)
            if whole is not None:
                # Its log has the end of the run already, which is all that anybody would look at.
                decision.sends += whole.sends
                decision.uploads += whole.uploads
                return
        shown = self._shown(log, route, decision)
        command = start_command(start, shown, self._feed.offset(WORKFLOWS))
        command = fitting_start(command, Owner(start.tenant_id, start.run_id), decision.uploads)
        begun = self._start(command, conversation, headers)
        begun = self._gated(begun, log, shown, gates) if gates else begun
        decision.sends += (self._told(shown, headers), begun)

    def _shown(self, log: AvroRecord, route: Route, decision: Decision) -> AvroRecord:
        """The log as it fits into a message."""
        owner = Owner(log["tenant_id"], log["workflow_run_id"] or log["id"])
        return fitting_log(log, owner, self._offload.limit(triggered_from(route.workflow)), decision.uploads)

    def _traceparent(self, headers: Headers, event: AvroRecord) -> str | None:
        """What the routing is under: as the message says, else what follows from the event; None: nothing."""
        event_id = event["event_id"]
        for _, value in headers:
            if (sent := self._sampler.sent(value.decode("ascii", "replace"))) is not None:
                return sent.traceparent
        sampled = self._sampler.begins(event_id)
        if event["published_at"] is None:
            return of_event(None, event_id, sampled)
        return child(root(event_id, sampled), event_id)

    def _told(self, log: AvroRecord, headers: Headers) -> Send:
        value = self._codec.encode("WorkflowTriggerLog", log)
        return Send("trigger.logs", log["id"].encode(), value, headers)

    def _start(self, command: AvroRecord, conversation: str | None, headers: Headers) -> Send:
        """To the engine, or first to the conversation that the run is a turn of."""
        if conversation is None:
            key, value = command["workflow_run_id"], self._codec.encode("RunCommand", command)
            return Send("run.commands", key.encode(), value, headers)
        told = start_in_conversation(self._codec, command, conversation)
        value = self._codec.encode("ConversationCommand", told)
        return Send("conversation.commands", told["conversation_key"].encode(), value, headers)

    def _gated(self, start: Send, log: AvroRecord, shown: AvroRecord, gates: tuple[Gate, ...]) -> Send:
        """To the first gate, from where it goes on."""
        assert start.key is not None, "a start has a key"
        assert start.value is not None, "and a value"
        return Ticket(
            tenant_id=log["tenant_id"],
            workflow_id=log["workflow_id"],
            at_us=log["created_at"],
            gates=gates,
            topic=start.topic,
            key=start.key.decode(),
            start=start.value,
            log=self._codec.encode("WorkflowTriggerLog", shown),
        ).send(self._codec)

    def _tell_dependents(self, arrival: Arrival, route: Route, decision: Decision) -> None:
        if route.trigger is None or route.refusal is not None:
            return
        event, trigger_id = arrival.event, route.trigger.id
        if dependents := self._feed.definitions.dependents(event["tenant_id"], trigger_id):
            told = notes(
                self._codec, dependents, trigger_id, event["tenant_id"], event["received_at"], arrival.data
            )
            decision.sends.extend(told)

    def _release(self, event: AvroRecord, route: Route, now_us: int, decision: Decision) -> None:
        """A schedule may be waiting for the end of a run that will not begin."""
        if event["trigger_type"] == ScheduleConfig.type and route.trigger is not None:
            never = workflow_run_id(event["dedup_key"], event["received_at"], route.trigger.workflow_id)
            told = run_ended(self._codec, event["tenant_id"], route.trigger.id, never, now_us)
            decision.sends.append(told)


def _seen_before(record: Record, key: str, received_at: int, kept: Kept) -> Seen | None:
    """The first event if that of a record which comes again was a duplicate, else None: it was one itself."""
    row = kept.get(before(key))
    if row is None:
        return None
    seen = Seen.decode(row)
    is_first = seen.is_later(record.partition, record.offset) or seen.is_replay(
        record.partition, record.offset
    )
    return seen if not is_first and seen.covers(received_at) else None
