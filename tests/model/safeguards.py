"""The safeguards of the protocol, each with a way to go without it. See docs/adr/0023."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from streams.engine.advance import Advanced, advance
from streams.engine.commands import NodeResult, Timer
from streams.runner import Runner
from streams.shell import offsets, reader
from streams.shell.ordered import OrderedStage
from transport.committed import Commit

Without = Callable[[], AbstractContextManager[Any]]
SAFEGUARDS: dict[str, Without] = {}


def _safeguard(without: Without) -> Without:
    SAFEGUARDS[without.__name__] = without
    return without


def _finish(turn: Any, assignment: Any) -> None:
    for tp, offset in turn.finished.items():
        assignment.offsets.finish_through(tp, offset)


@_safeguard
def acknowledged_after_the_sends() -> Any:
    """A record is done when what follows from it is confirmed."""

    async def confirm(stage: Any, turn: Any, assignment: Any) -> None:
        _finish(turn, assignment)
        await assignment.ensure_ours()
        if turn.sends:
            await stage._outbox.send(turn.sends)
        await stage._confirm_rows(turn, assignment)

    return patch.object(OrderedStage, "_confirm", confirm)


@_safeguard
def acknowledged_after_the_rows() -> Any:
    """... and its rows are in the changelog."""

    async def confirm(stage: Any, turn: Any, assignment: Any) -> None:
        await assignment.ensure_ours()
        if turn.sends:
            await stage._outbox.send(turn.sends)
        _finish(turn, assignment)
        await stage._confirm_rows(turn, assignment)

    return patch.object(OrderedStage, "_confirm", confirm)


@_safeguard
def sends_before_rows() -> Any:
    """A row that says that a command was applied says also that its effects are out."""

    async def confirm(stage: Any, turn: Any, assignment: Any) -> None:
        await assignment.ensure_ours()
        await stage._confirm_rows(turn, assignment)
        if turn.sends:
            await stage._outbox.send(turn.sends)
        _finish(turn, assignment)

    return patch.object(OrderedStage, "_confirm", confirm)


@_safeguard
def the_position_first_seen() -> Any:
    """A replay of the record that made a dedup row is no duplicate."""
    return patch("streams.dedup.Seen.is_replay", lambda *_: False)


@_safeguard
def commits_behind_what_is_unfinished() -> Any:
    """Nothing is committed beyond the smallest unfinished offset."""
    return patch.object(offsets._Progress, "commit", property(lambda progress: Commit(progress.next)))


@_safeguard
def only_what_is_done_is_left_out() -> Any:
    """What a commit says is done beyond its offset was done by who has committed it."""

    def everything(progress: Any) -> Commit:
        return Commit.of(progress.safe, range(progress.safe + 1, progress.next))

    return patch.object(offsets._Progress, "commit", property(everything))


@_safeguard
def recovery_before_records() -> Any:
    """Tables are read back before records are decided."""

    async def recover(self: Any, assignment: Any, changelogs: Any) -> None:
        for tp, (earliest, end) in (await self._source.bounds(changelogs)).items():
            table = self._tables[tp.topic]
            table.open(tp.partition, earliest, end, assignment.generation)
            table.recovered(tp.partition, end - 1)

    return patch.object(reader.Reader, "_recover", recover)


@_safeguard
def stale_attempts_are_ignored() -> Any:
    """The result of an attempt that nobody waits for changes nothing."""

    def any_attempt(definition: Any, state: Any, command: Any, *more: Any) -> Advanced:
        if isinstance(command, NodeResult) and state is not None and not state.ended:
            waiting = [found for found, one in state.all_waiting() if one.revision > 0]
            if waiting and command.node_execution_id not in waiting:
                command = NodeResult(command.command_id, waiting[0], command.status, command.outputs)
        return advance(definition, state, command, *more)

    return patch("streams.runner.advance", any_attempt)


@_safeguard
def applied_commands_change_nothing() -> Any:
    """The start of a run that is there begins nothing."""

    def again(definition: Any, state: Any, command: Any, *more: Any) -> Advanced:
        begins = type(command).__name__ == "Start"
        return advance(definition, None if begins else state, command, *more)

    return patch("streams.runner.advance", again)


@_safeguard
def deterministic_ids() -> Any:
    """The run that an event starts has the same id whoever starts it."""
    made: list[None] = []

    def chance(*_: Any) -> str:
        made.append(None)
        return f"run-{len(made)}"

    return patch("streams.route.workflow_run_id", chance)


@_safeguard
def gates_know_who_has_entered() -> Any:
    """An event that the router sends again has come once."""
    return patch("streams.gates.rows.Head.enter", lambda *_: True)


@_safeguard
def no_gaps() -> Any:
    """A worker that is not given a record gives up, and is given it after its restart."""

    def deliver(self: Any, tp: Any, delivered: Any) -> None:
        progress = self._progress[tp]
        progress.unfinished.extend(delivered)
        progress.next = delivered[-1] + 1

    return patch.object(offsets.Offsets, "deliver", deliver)


def _recovered_with(**changed: Any) -> Any:
    recovered = reader._recovered
    return patch.object(reader, "_recovered", lambda key, record: recovered(key, record)._replace(**changed))


@_safeguard
def epochs_of_rows() -> Any:
    """A row that comes after those of a later owner does not count."""
    return _recovered_with(epoch=None)


@_safeguard
def groups_of_rows() -> Any:
    """Rows that belong together count together, or not at all."""
    return _recovered_with(more=0)


@_safeguard
def due_rows_after_the_backlog() -> Any:
    """Rows that are due wait until all is decided that was there before: not even the first of it is fetched
    when they are looked at."""
    decide_due, decide_records = OrderedStage._decide_due, OrderedStage._decide_records

    def ready(stage: Any, table: Any, assignment: Any = None) -> Any:
        ours = stage._assignment
        return table.partitions if ours is not None and assignment in (None, ours) else ()

    async def due(stage: Any, turn: Any, assignment: Any) -> None:
        if not turn.served:
            await decide_due(stage, turn, assignment)

    async def records(stage: Any, turn: Any, pending: Any, assignment: Any) -> Any:
        await due(stage, turn, assignment)
        return await decide_records(stage, turn, pending, assignment)

    return patch.multiple(OrderedStage, _ready=ready, _decide_due=due, _decide_records=records)


@_safeguard
def time_in_its_place_among_commands() -> Any:
    """That the time of a run has come is a command in the log."""
    on_due = Runner.on_due

    def at_once(runner: Any, key: str, row: bytes, kept: Any, now: float) -> Any:
        standing = runner._stand(row, key, kept)
        if standing is None:
            return on_due(runner, key, row, kept, now)
        return runner._advance(standing, Timer(f"timer/{key}"), now, (), round(now * 1e6))

    return patch.object(Runner, "on_due", at_once)
