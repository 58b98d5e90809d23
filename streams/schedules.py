"""The stage of the clock: fires schedules as trigger events. A row belongs to who owns its partition."""

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import entity_id, schedule_event_id
from schemas.models import AppTrigger
from schemas.triggers.schedule import ScheduleConfig, from_us, jitter_us
from streams.firing import Fired, Firing, ended, fire, identity_of, install, key_of
from streams.metrics import ScheduleMetrics
from streams.schedule_rows import Backfill, ScheduleRow, row_due
from streams.shell.stage import Decision, Kept, Record, Stage
from transport.definitions import TRIGGERS, WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send

_DEDUP_WINDOW_MS = 7 * 24 * 3_600_000
"""A row that is decided again fires again: after a crash, at the latest when a worker is there."""


class Schedules:
    """Reads `schedule.commands`; keeps `schedules`; writes `trigger.events`, and cancels runs."""

    def __init__(self, feed: DefinitionsFeed, codec: Codec, metrics: ScheduleMetrics) -> None:
        self._feed = feed
        self._codec = codec
        self._metrics = metrics

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        return Stage(
            "schedules",
            "schedule.commands",
            self.decide,
            table="schedules",
            due=row_due,
            on_due=self.on_due,
            owner=lambda _, row: ScheduleRow.decode(row).trigger.tenant_id,
        )

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One command. Those for a schedule that is gone change nothing."""
        command = self._codec.decode("ScheduleCommand", record.value)
        key, payload = command["schedule_id"], orjson.loads(command["payload"])
        stored = kept.get(key)
        row = None if stored is None else ScheduleRow.decode(stored)
        if command["kind"] == "SET":
            trigger = AppTrigger.model_validate(payload)
            if row is not None and row.trigger.updated_at > trigger.updated_at:
                return Decision()
            return Decision(writes={key: install(row, trigger, int(now * 1e6)).encode()})
        if row is None:
            return Decision()
        match command["kind"]:
            case "REMOVE":
                return Decision(writes={key: None})
            case "RUN_ENDED":
                return self._decision(ended(row, payload["workflow_run_id"], payload.get("again")), now)
            case "BACKFILL":
                return Decision(writes={key: _with_backfill(row, payload, command).encode()})
            case kind:
                raise ValueError(f"unknown kind of schedule command {kind}")

    def on_due(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """A time has come."""
        fired = fire(ScheduleRow.decode(row), int(now * 1e6))
        times = [one.at_us for one in fired.firings if one.refusal is None and not one.backfill_id]
        if times:
            trigger, config = fired.row.trigger, fired.row.config
            self._metrics.late(now - (min(times) + jitter_us(trigger.id, config)) / 1e6)
        return self._decision(fired, now)

    def _decision(self, fired: Fired, now: float) -> Decision:
        trigger = fired.row.trigger
        for firing in fired.firings:
            self._metrics.firing(firing.outcome)
        sends = [self._cancel(trigger, run_id, now) for run_id in fired.cancelled]
        sends += [self._event(fired.row, firing) for firing in fired.firings]
        return Decision(sends, {trigger.id: fired.row.encode()})

    def _event(self, row: ScheduleRow, firing: Firing) -> Send:
        trigger, config = row.trigger, row.config
        key = key_of(trigger, firing)
        metadata = {
            "schedule_id": trigger.id,
            "cron": config.cron,
            "interval_s": config.interval_s,
            "timezone": config.timezone,
            "scheduled_time": config.local(firing.at_us).isoformat(),
            "received_at": from_us(firing.received_us).isoformat().replace("+00:00", "Z"),
            **({"refusal": firing.refusal} if firing.refusal else {}),
        }
        data = {"type": "schedule", "metadata": metadata, "inputs": config.inputs}
        record = {
            "event_id": schedule_event_id(key),
            "trigger_id": identity_of(trigger, firing),
            "dedup_key": key,
            "dedup_window_ms": _DEDUP_WINDOW_MS,
            "tenant_id": trigger.tenant_id,
            "trigger_type": ScheduleConfig.type,
            "index_key": trigger.id,
            "source": f"/schedules/{trigger.id}",
            "event_type": "schedule",
            "received_at": firing.received_us,
            "data": orjson.dumps(data).decode(),
            "triggers_offset": self._feed.offset(TRIGGERS),
            "workflows_offset": self._feed.offset(WORKFLOWS),
            "created_by_role": "account",
            "created_by": trigger.created_by,
        }
        return Send("trigger.events", key.encode(), self._codec.encode("TriggerEvent", record))

    def _cancel(self, trigger: AppTrigger, run_id: str, now: float) -> Send:
        record = {
            "command_id": entity_id("command", run_id, "cancel"),
            "kind": "CANCEL",
            "workflow_run_id": run_id,
            "tenant_id": trigger.tenant_id,
            "app_id": trigger.app_id,
            "workflow_id": trigger.workflow_id,
            "version": "",
            "workflows_offset": self._feed.offset(WORKFLOWS),
            "issued_at": int(now * 1e6),
            "payload": '{"reason":"the next time of its schedule has come (overlap: cancel_other)"}',
        }
        return Send("run.commands", run_id.encode(), self._codec.encode("RunCommand", record))


def run_ended(
    codec: Codec, tenant_id: str, schedule: str, run_id: str, now_us: int, again: str | None = None
) -> Send:
    """Tells a schedule that a run of its is over, or never began. `again`: the run that starts it again."""
    payload = {"workflow_run_id": run_id} | ({"again": again} if again else {})
    record = {
        "schedule_id": schedule,
        "kind": "RUN_ENDED",
        "tenant_id": tenant_id,
        "issued_at": now_us,
        "payload": orjson.dumps(payload).decode(),
    }
    return Send("schedule.commands", schedule.encode(), codec.encode("ScheduleCommand", record))


def _with_backfill(row: ScheduleRow, payload: AvroRecord, command: AvroRecord) -> ScheduleRow:
    """Asked for twice, it is there once while it goes on; its times have the same identity either way."""
    name, after_us, end_us = payload["backfill_id"], payload["start"] - 1, payload["end"]
    if not any(one.id == name and one.end_us == end_us and one.after_us >= after_us for one in row.backfills):
        row.backfills.append(Backfill(name, after_us, end_us, command["issued_at"]))
    return row
