"""The state of one run between two commands, and its bytes in the run-state table.

A state is a few fields and any number of parts, which have keys and are JSON. A small state is one row. One
that has grown keeps each part in a row of its own, which is read when it is asked for and written when it has
changed, so that a hop costs what it touches and not what the run has made so far.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from streams.engine.errors import NewerState, UndecodableState
from streams.engine.parts import NO_ROWS, PartRows, Parts

FORMAT = 2
"""Counts the forms of the bytes. A release reads all that came before."""

SPLIT_BYTES = 16 * 1024
"""A state whose bytes are more keeps its parts in rows of their own from then on."""

DEFAULT_QUEUE = "default"
"""For the tasks of runs without a trigger log."""

ROOT = ""
"""Path of the frame that the start node is in."""

RUNNING, SUCCEEDED, FAILED = "RUNNING", "SUCCEEDED", "FAILED"
STOPPED, PARTIAL_SUCCEEDED = "STOPPED", "PARTIAL_SUCCEEDED"
PAUSED = "PAUSED"

_INPUTS, _LOG, _CALLER, _ENDS, _WAITING = "inputs", "log", "caller", "ends", "w:"


class Waiting(NamedTuple):
    """One attempt at a node that has not ended: it is with an executor, or a container that has begun."""

    path: str
    node_id: str
    attempt: int
    step: int
    """Position in the order of execution, from 1; the same for all attempts."""
    predecessor: str | None
    created_at: int
    inputs: str
    """JSON, as recorded."""
    revision: int
    """Of its record that was last sent, if any was, see `RunState.tells_ends_only`; 0 while the attempt waits
    for its time."""


class Alarm(NamedTuple):
    """When something is to become of an attempt that nobody brings about: one that waits for its time begins,
    one that is with an executor has had its time."""

    due_at: int
    """Microseconds."""
    execution_id: str


class Pending(NamedTuple):
    """A node that waits for an answer."""

    expires_at: int
    """Microseconds."""
    execution_id: str


@dataclass(slots=True)
class RunState:
    """What there is to know about a run. `advance` copies it and never changes the one it is given."""

    run_id: str
    tenant_id: str
    app_id: str
    workflow_id: str
    version: str
    graph_hash: str
    triggered_from: str
    created_by_role: str
    created_by: str | None
    event_at: int
    """When the event that started the run was accepted, in microseconds: the same if it is done again."""
    started_at: int
    """Microseconds."""
    queue: str
    """Where its tasks go."""
    status: str = RUNNING
    error: str | None = None
    revision: int = 0
    """Of the run record that was last sent."""
    steps: int = 0
    exceptions: int = 0
    """Attempts that failed."""
    tokens: int = 0
    single_step: str = ""
    """The only node that there is; empty for a run."""
    alarms: tuple[Alarm, ...] = ()
    """The earliest first. An attempt that is to end no sooner than the run has none."""
    pauses: tuple[Pending, ...] = ()
    """The earliest first; what each asks for is a part."""
    paused_at: int = 0
    """Microseconds; counts while the status is PAUSED."""
    paused_us: int = 0
    """How long it was paused before."""
    interactions: tuple[str, ...] = ()
    """Answers that were applied."""
    parts: Parts = field(default_factory=Parts)
    """The keys begin with: `w:` attempts that have not ended, by execution id; `f:`, `v:`, `c:`, `i:`, `r:`
    see `streams.engine.frames`; `p:` see `streams.engine.pauses`. `inputs`, `log`, `caller` and `ends`
    are of the run."""

    @property
    def ended(self) -> bool:
        """Nothing will change it any more. It is kept for a while so that late commands are recognised."""
        return self.status not in (RUNNING, PAUSED)

    def deadline_us(self, max_run_s: int) -> int:
        """When a run that is not paused now has had its time."""
        return self.started_at + self.paused_us + max_run_s * 1_000_000

    @property
    def inputs(self) -> str:
        """JSON, as recorded. Empty once the run has ended."""
        return self.parts.get(_INPUTS) or ""

    @inputs.setter
    def inputs(self, recorded: str) -> None:
        self.parts.put(_INPUTS, recorded)

    @property
    def trigger_log(self) -> Mapping[str, Any] | None:
        """As last sent. None once the run has ended."""
        log: Mapping[str, Any] | None = self.parts.get(_LOG)
        return log

    @trigger_log.setter
    def trigger_log(self, log: Mapping[str, Any]) -> None:
        self.parts.put(_LOG, log)

    @property
    def caller(self) -> Mapping[str, Any] | None:
        """Who waits for its end, of a run that was called as a tool. None once the run has ended."""
        caller: Mapping[str, Any] | None = self.parts.get(_CALLER)
        return caller

    @caller.setter
    def caller(self, caller: Mapping[str, Any]) -> None:
        self.parts.put(_CALLER, caller)

    @property
    def tells_ends_only(self) -> bool:
        """Whether nothing is told of its pure nodes before they end. Those of runs that began with an earlier
        release are told of as they begin, too. See docs/adr/0032."""
        return self.parts.get(_ENDS) is not None

    def tell_ends_only(self) -> None:
        """To be asked for as the run begins."""
        self.parts.put(_ENDS, 1)

    def waiting(self, execution_id: str) -> Waiting | None:
        """The attempt, None for one that nobody waits for (any more)."""
        entry = self.parts.get(_WAITING + execution_id)
        return Waiting(*entry) if entry else None

    def wait_for(self, execution_id: str, waiting: Waiting) -> None:
        """The attempt has begun, or is to begin."""
        self.parts.put(_WAITING + execution_id, tuple(waiting))

    def look_at(self, execution_id: str, due_at: int) -> None:
        """Something is to become of the attempt at that time, if it has not ended by then."""
        self.alarms = tuple(sorted((*self.alarms, Alarm(due_at, execution_id))))

    def no_longer_waits(self, execution_id: str) -> None:
        """The attempt has ended."""
        self.parts.drop(_WAITING + execution_id)
        if self.alarms:
            self.alarms = tuple(one for one in self.alarms if one.execution_id != execution_id)

    def all_waiting(self) -> list[tuple[str, Waiting]]:
        """Every attempt that has not ended, in the order in which their nodes were reached."""
        ids = [key.removeprefix(_WAITING) for key in self.parts.keys(_WAITING)]
        found = [(execution_id, waiting) for execution_id in ids if (waiting := self.waiting(execution_id))]
        return sorted(found, key=lambda entry: (entry[1].step, entry[0]))

    def copy(self) -> "RunState":
        """Its own parts; the values in them are never changed."""
        copied = RunState(*_scalars_of(self))
        copied.parts = self.parts.copy()
        return copied

    def forget(self) -> None:
        """Drops what only a run that goes on needs."""
        self.alarms = ()
        self.pauses = ()
        self.parts.clear()


def never_begun(run_id: str, tenant_id: str) -> RunState:
    """A run that was stopped before its start came."""
    return RunState(
        run_id=run_id,
        tenant_id=tenant_id,
        app_id="",
        workflow_id="",
        version="",
        graph_hash="",
        triggered_from="",
        created_by_role="",
        created_by=None,
        event_at=0,
        started_at=0,
        queue=DEFAULT_QUEUE,
        status=STOPPED,
    )


_SCALARS = tuple(f.name for f in fields(RunState) if f.name != "parts")
"""All fields but the last."""

_scalars_of: Callable[[RunState], Any] = attrgetter(*_SCALARS)

_TUPLES = tuple(_SCALARS.index(name) for name in ("alarms", "pauses"))


class Encoded(NamedTuple):
    """What there is to write of a state."""

    head: bytes
    """Always written."""
    rows: Mapping[str, bytes | None]
    """Key of a part -> its row, None for one that is gone. Empty for a state that is one row."""


def encode(state: RunState, split_bytes: int = SPLIT_BYTES) -> Encoded:
    """For the run-state table."""
    parts = state.parts
    scalars = list(_scalars_of(state))
    for index in _TUPLES:
        if scalars[index]:
            scalars[index] = [tuple(entry) for entry in scalars[index]]
    if not parts.are_rows:
        head = orjson.dumps([FORMAT, scalars, parts.all()])
        if len(head) <= split_bytes:
            return Encoded(head, {})
    elif state.ended:
        return Encoded(orjson.dumps([FORMAT, scalars, {}]), parts.rows())
    return Encoded(orjson.dumps([FORMAT, scalars, None]), parts.rows())


def decode(head: bytes, rows: PartRows = NO_ROWS) -> RunState:
    """What `encode` wrote, also that of an earlier release. Raises `NewerState`, and `UndecodableState`, also
    later, for a part that is damaged."""
    try:
        version, scalars, *rest = orjson.loads(head)
        if version == 1:
            return _decode_1(scalars, *rest)
        if version > FORMAT:
            raise NewerState(
                f"a run state of format {version}, and this release reads up to {FORMAT}: start the release "
                "again that wrote it, or a later one"
            )
        (parts,) = rest
        if len(scalars) == len(_BEFORE_PAUSES):
            state = RunState(**dict(zip(_BEFORE_PAUSES, scalars, strict=True)))
        else:
            state = RunState(*scalars)
        state.alarms = tuple([Alarm(*alarm) for alarm in state.alarms])
        state.pauses = tuple([Pending(*pending) for pending in state.pauses])
        state.interactions = tuple(state.interactions)
        state.parts = Parts(rows=rows) if parts is None else Parts(dict(parts))
    except (ValueError, TypeError) as wrong:
        raise UndecodableState(f"damaged run state: {wrong}") from wrong
    return state


_AFTER_TOKENS = _SCALARS.index("tokens") + 1
_BEFORE_PAUSES = (*_SCALARS[:_AFTER_TOKENS], "alarms")
"""Of the second format, before there were single steps, pauses and interactions."""

_SCALARS_1 = (
    "run_id", "tenant_id", "app_id", "workflow_id", "version", "graph_hash", "triggered_from",
    "created_by_role", "created_by", "event_at", "started_at", "inputs", "trigger_log", "status", "error",
    "revision", "steps", "exceptions",
)  # fmt: skip


def _decode_1(scalars: Any, frames: Any, waiting: Any) -> RunState:
    """The first format: no containers, no retries, always one row."""
    named = dict(zip(_SCALARS_1, scalars, strict=True))
    inputs, log = named.pop("inputs"), named.pop("trigger_log")
    state = RunState(**named, queue=(log or {}).get("queue_name") or DEFAULT_QUEUE)
    if state.ended:
        return state
    state.inputs = inputs
    if log:
        state.trigger_log = log
    for path, values, joins in frames:
        for name, value in values.items():
            state.parts.put(f"v:{path}:{name}", value)
        frame = [None, 0, state.started_at, len(waiting), None, False, ["0", *values], joins]
        state.parts.put(f"f:{path}", frame)
    for execution_id, *entry in waiting:
        state.wait_for(execution_id, Waiting(*entry))
    return state
