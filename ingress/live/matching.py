"""Whether what has just happened is of the runs that a stream is about. Pure.

The same filter as a search has, looked at in records instead of rows. What never changes in a run chooses
runs: all that happens to them is told. What does change (status, error, duration, tokens, outputs) chooses
states of runs: their nodes are not told then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from ingress.live.changes import NODE_EVENTS, WORKFLOW_STARTED, Event
from ingress.live.wire import begun
from schemas.codec import Record
from schemas.conditions import Condition
from schemas.search import RunFilter

_MISSING = object()
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A filter, for the runs of one tenant."""

    filter: RunFilter
    tenant_id: str

    @property
    def of_states(self) -> bool:
        """Whether states of runs are chosen."""
        given = self.filter
        ranges = (given.min_duration, given.max_duration, given.min_tokens, given.max_tokens)
        return (
            bool(given.status or given.error)
            or any(one is not None for one in ranges)
            or any(one.of == "output" for one in given.where)
        )

    @property
    def needs_trigger(self) -> bool:
        """Whether it makes a difference what has begun a run, which only its trigger log knows."""
        return bool(self.filter.trigger_type)

    def may_fit(self, record: Record) -> bool:
        """By what records of runs, node executions and trigger logs all have."""
        given = self.filter
        return (
            record["tenant_id"] == self.tenant_id
            and (not given.workflow_id or record["workflow_id"] in given.workflow_id)
            and given.app_id in (None, record["app_id"])
        )

    @property
    def needs_run(self) -> bool:
        """Whether more must be known of a run than `may_fit` looks at."""
        given = self.filter
        of_input = any(one.of == "input" for one in given.where)
        return bool(given.version or given.trigger_type or given.created_by is not None or of_input)

    @property
    def of_runs(self) -> RunFilter:
        """The part of the filter that chooses runs."""
        given = self.filter
        of_input = tuple(one for one in given.where if one.of == "input")
        names = given.model_fields_set & {"workflow_id", "app_id", "trigger_type", "created_by", "version"}
        return RunFilter(where=of_input, **{name: getattr(given, name) for name in names})

    def fits_run(self, run: Record, trigger_type: str | None) -> bool:
        """By what never changes in it. `trigger_type`: None where nothing is known to have begun it."""
        given = self.filter
        return (
            (not given.version or run["version"] in given.version)
            and (not given.trigger_type or trigger_type in given.trigger_type)
            and given.created_by in (None, run["created_by"])
            and all(holds(one, run["inputs"]) for one in given.where if one.of == "input")
        )

    def tells(self, event: Event) -> bool:
        """Of a run that fits: whether the event is told."""
        if not self.of_states:
            return True
        if event.name in NODE_EVENTS:
            return False
        change = begun(event.change) if event.name == WORKFLOW_STARTED else event.change
        return self._fits_state(change.record)

    def _fits_state(self, run: Record) -> bool:
        given = self.filter
        if given.status and run["status"] not in given.status:
            return False
        if given.error and given.error.lower() not in (run["error"] or "").lower():
            return False
        took = None if run["finished_at"] is None else run["elapsed_time"]
        if (given.min_duration, given.max_duration) != (None, None) and (
            took is None or not _between(took, given.min_duration, given.max_duration)
        ):
            return False
        return _between(run["total_tokens"], given.min_tokens, given.max_tokens) and all(
            holds(one, run["outputs"] or "") for one in given.where if one.of == "output"
        )


def holds(condition: Condition, document: str) -> bool:
    """As a search finds it in the history. `document`: JSON."""
    if condition.operator == "~" and not condition.path:
        return condition.text.lower() in document.lower()
    value = _at(document, condition.path)
    if condition.operator == "~":
        text = value if isinstance(value, str) else "" if value is _MISSING else orjson.dumps(value).decode()
        return condition.text.lower() in text.lower()
    if condition.operator in ("=", "!="):
        return _equals(condition, value) is (condition.operator == "=")
    compare = _ORDERED[condition.operator]
    if isinstance(condition.value, str):
        return isinstance(value, str) and compare(value, condition.text)
    return _is_number(value) and compare(value, condition.value)


def _at(document: str, path: tuple[str | int, ...]) -> Any:
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError:
        return _MISSING
    for step in path:
        in_list = isinstance(step, int) and isinstance(value, list) and step < len(value)
        if not in_list and not (isinstance(step, str) and isinstance(value, dict) and step in value):
            return _MISSING
        value = value[step]
    return value


def _equals(condition: Condition, value: Any) -> bool:
    wanted = condition.value
    if isinstance(value, str):
        return value == condition.text
    if wanted is None:
        return value is None or value is _MISSING
    if isinstance(wanted, bool):
        return value is wanted
    return _is_number(value) and _is_number(wanted) and bool(value == wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)
