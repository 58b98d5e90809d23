"""One of each kind of row and record that outlives a release, and what its bytes say."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from ingress.spool_records import encode as spool_record
from ingress.spool_records import records
from schemas.models import AppTrigger
from schemas.models.subscription import SubscriptionState, TriggerSubscription
from schemas.plugins.credentials import CredentialType
from schemas.triggers.schedule import ScheduleConfig
from streams.dedup import Seen
from streams.engine.state import Alarm, Pending, RunState, Waiting, decode, encode
from streams.gates.rows import Head
from streams.gates.rows import Waiting as GateWaiting
from streams.remembered import Remembered
from streams.run_rows import RunRow
from streams.schedule_rows import Backfill, ScheduleRow
from streams.shell.rows import Epoch, MemoryRows
from streams.shell.stage import Decision, Stage
from streams.shell.table import Table
from streams.sources.rows import SourceRow
from streams.sources.tokens import TokenRow
from streams.subscriptions.rows import Lease, SubscriptionRow
from transport.producer import Send

_AT_US = 1_795_000_000_000_000
_ISO = "2026-11-18T12:26:40Z"

View = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """A kind of bytes."""

    encoded: bytes
    """As this release writes them."""
    view: View
    """What this release reads in them, or in those of an earlier one, as JSON."""


class _Parts:
    """Rows of a state that are none of its own: a state in one row asks for nothing."""

    def __init__(self, rows: dict[str, bytes]) -> None:
        self._rows = rows

    def get(self, key: str) -> bytes | None:
        return self._rows.get(key)

    def all_keys(self) -> Iterator[str]:
        return iter(self._rows)


def samples() -> dict[str, Sample]:
    """All kinds, by their names."""
    return {
        "dedup": Sample(Seen(3, 41, _AT_US + 1, _AT_US + 2).encode(), lambda row: Seen.decode(row)._asdict()),
        "run": Sample(RunRow(_AT_US / 1e6, b"pin", encode(_state()).head).encode(), _run),
        "run-in-parts": Sample(_in_parts(), _run_in_parts),
        "run-ended": Sample(RunRow(_AT_US / 1e6, b"", encode(_ended()).head).encode(), _run),
        "gate": Sample(Head(7, _AT_US, {"waits": ["a"]}).encode(), lambda row: asdict(Head.decode(row))),
        "gate-waiting": Sample(
            GateWaiting(_AT_US, True, b"\xc3\x01ticket").encode(),
            lambda row: (
                GateWaiting.decode(row)._replace(ticket=b"")._asdict()
                | {"ticket": GateWaiting.decode(row).ticket.hex()}
            ),
        ),
        "schedule": Sample(_schedule().encode(), _schedule_view),
        "conversation": Sample(
            _remembered().encode()[0], lambda row: _without(asdict(Remembered.decode(row)), "variables")
        ),
        "conversation-variables": Sample(
            _remembered().encode()[1],
            lambda row: asdict(Remembered.decode(_remembered().encode()[0], row))["variables"],
        ),
        "subscription": Sample(_subscription().encode(), _subscription_view),
        "source": Sample(
            SourceRow("box", {"uid": 7}, 12).encode(), lambda row: asdict(SourceRow.decode(row))
        ),
        "source-token": Sample(
            TokenRow("configured", "enc:v1:x", "attempt", 1.5, 12).encode(),
            lambda row: asdict(TokenRow.decode(row)),
        ),
        "spool": Sample(b"".join(map(spool_record, _SENDS)), _spool_view),
        "changelog-headers": Sample(_headers(), orjson.loads),
    }


def as_json(value: Any) -> Any:
    """As it is after a file."""
    return json.loads(json.dumps(value))


def _state() -> RunState:
    state = RunState(
        "run", "tenant", "app", "workflow", "v1", "hash", "app-run", "end_user", "ada", _AT_US, _AT_US + 1,
        "high_priority", revision=1, steps=3, exceptions=1, tokens=7, single_step="n",
        pauses=(Pending(_AT_US + 3, "p"),), paused_at=5, paused_us=6, interactions=("i",),
    )  # fmt: skip
    state.alarms = (Alarm(_AT_US + 2, "again"),)
    state.inputs = '{"a":1}'
    state.trigger_log = {"id": "log", "queue_name": "high_priority"}
    state.caller = {"run_id": "caller"}
    state.wait_for("e", Waiting("it/0", "c", 1, 3, "start", 5, "{}", 1))
    state.parts.put("v::start", {"x": [1, {"y": None}]})
    state.parts.put("f:", [None, 0, 5, 1, None, False, ["0", "start", "sys"], [[4, 1, -1]]])
    return state


def _ended() -> RunState:
    state = _state()
    state.status, state.error = "FAILED", "no"
    state.forget()
    return state


def _in_parts() -> bytes:
    """The first row and the further ones, as JSON: they are rows of one table."""
    head, rows = encode(_state(), 0)
    texts = {key: row.decode() for key, row in rows.items() if row is not None}
    return orjson.dumps([RunRow(_AT_US / 1e6, b"pin", head).encode().hex(), texts])


def _run(row: bytes) -> Any:
    return _run_view(row, {})


def _run_in_parts(rows: bytes) -> Any:
    head, parts = orjson.loads(rows)
    return _run_view(bytes.fromhex(head), {key: text.encode() for key, text in parts.items()})


def _run_view(row: bytes, rows: dict[str, bytes]) -> Any:
    first = RunRow.decode(row)
    state = decode(first.state, _Parts(rows))
    return {
        "due_s": first.due_s,
        "pinned": first.pinned.decode(),
        "run_id": state.run_id,
        "event_at": state.event_at,
        "status": state.status,
        "error": state.error,
        "queue": state.queue,
        "counts": [state.revision, state.steps, state.exceptions],
        "inputs": state.inputs,
        "trigger_log": state.trigger_log,
        "caller": state.caller,
        "alarms": state.alarms,
        "pauses": state.pauses,
        "paused": [state.paused_at, state.paused_us, state.interactions],
        "waiting": state.all_waiting(),
        "values": state.parts.get("v::start"),
        "frame": state.parts.get("f:"),
    }


def _schedule() -> ScheduleRow:
    trigger = AppTrigger.model_validate(
        {
            "id": "trigger", "tenant_id": "tenant", "app_id": "app", "workflow_id": "workflow", "name": "n",
            "type": "SCHEDULE", "config": ScheduleConfig(interval_s=60).model_dump(mode="json"),
            "created_at": _ISO, "updated_at": _ISO,
        }
    )  # fmt: skip
    return ScheduleRow(trigger, _AT_US, ["run"], _AT_US - 1, [Backfill("b", 1, 2, 3)])


def _schedule_view(row: bytes) -> Any:
    read = ScheduleRow.decode(row)
    assert read.config.interval_s == 60
    return {
        "trigger": _set(read.trigger.model_dump(mode="json")),
        "next_us": read.next_us,
        "running": read.running,
        "held_us": read.held_us,
        "backfills": read.backfills,
    }


def _remembered() -> Remembered:
    return Remembered(
        "tenant", 1.5, 9, 8, 2.5, [9], {"run": 8, "next": 9}, {"name": (7, 2, {"first": "Ada"})}
    )


def _subscription() -> SubscriptionRow:
    common: dict[str, Any] = {"tenant_id": "tenant", "created_at": _ISO, "updated_at": _ISO}
    subscription = TriggerSubscription.model_validate(
        {
            **common, "id": "s", "name": "mine", "user_id": "ada", "provider_id": "github",
            "endpoint_id": "endpoint", "credentials": {"access_tokens": "x"},
            "credential_type": CredentialType.OAUTH, "credential_expires_at": 1_795_000_000,
            "expires_at": 1_796_000_000, "credentials_id": "c", "agreement_id": "a",
        }
    )  # fmt: skip
    state = SubscriptionState.model_validate(
        {**common, "id": "s", "credentials_id": "c", "agreement_id": "a", "failures": 2}
    )
    return SubscriptionRow(
        subscription, state, 1.0, 2.0, 5, 4, Lease(5, "token", "worker", 9.0), True, "token", True
    )


def _subscription_view(row: bytes) -> Any:
    read = SubscriptionRow.decode(row)
    return {
        "subscription": _set(read.subscription.model_dump(mode="json")),
        "state": _set(read.state.model_dump(mode="json")),
        "times": [read.token_from_s, read.renewed_from_s],
        "attempts": [read.attempts, read.settled, read.failed, read.interrupted, read.renewal_asked],
        "lease": asdict(read.lease) if read.lease else None,
    }


_SENDS = (
    Send("trigger.events", b"k1", b'{"n":1}\xff', (("traceparent", b"\x80"), ("n", b""))),
    Send("trigger.events", None, None),
)


def _spool_view(segment: bytes) -> Any:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "segment"
        path.write_bytes(segment)
        sends = [found.send for found in records(path, 0)]
    return [[s.topic, _hex(s.key), _hex(s.value), [(n, v.hex()) for n, v in s.headers]] for s in sends]


def _headers() -> bytes:
    """Of the rows of a group in a changelog."""
    table = Table(Stage("s", "t", lambda *_: Decision(), "runs"), MemoryRows())
    table.open(0, 0, 12, 7)
    sends = table.sends(0, [("r", b""), ("r/a", b""), ("s", None)])
    assert [Epoch.decode(dict(send.headers)["epoch"]) for send in sends] == [Epoch(12, 7)] * 3
    return orjson.dumps([[(name, value.decode()) for name, value in send.headers] for send in sends])


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _set(model: dict[str, Any]) -> dict[str, Any]:
    """Without what only a later release may know of, as long as it is empty."""
    return {name: value for name, value in model.items() if value not in (None, "", [], {}, False)}


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
