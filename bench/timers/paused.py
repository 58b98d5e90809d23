"""Rows of runs that wait, as many as wanted, made of the row of one that does.

The row of a real run is read from the changelog of the engine's table. Copies of it with ids and a moment of
their own go to the same topic, where the worker that starts next finds them among those of the one before.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from bench.reading import messages_of
from bench.timers.workflow import NODE
from schemas.ids import new_id, node_execution_id
from streams.engine.state import decode
from streams.run_rows import RunRow
from streams.shell.rows import BREAK
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

_CHANGELOG = "changelog.runs"
_AT_ONCE = 5_000
_SAY_EVERY = 100_000


class Original(NamedTuple):
    """The row of a run that waits, and the texts in it that no other run has."""

    due_s: int
    row: RunRow
    run_id: bytes
    execution_id: bytes
    log_id: bytes


def find_original(kafka: KafkaSettings, due_s: int) -> Original | None:
    """Of the run that waits until then, and of which there is one; None while it is not there. Blocks."""
    for message in messages_of(kafka, _CHANGELOG):
        if message.value is None or BREAK in message.key:
            continue
        row = RunRow.decode(message.value)
        if row.due_s == due_s:
            return original_of(row)
    return None


def original_of(row: RunRow) -> Original:
    """What to make copies of: the row of a run that began by an event, and waits at one node."""
    state = decode(row.state)
    (pending,), log = state.pauses, state.trigger_log
    assert log is not None
    ids = (text.encode() for text in (state.run_id, pending.execution_id, log["id"]))
    return Original(int(row.due_s), row, *ids)


async def write_copies(
    kafka: KafkaSettings, original: Original, due_s: Iterable[int], say: Callable[[str], None]
) -> int:
    """One for each moment, in unix seconds; how many. No worker may have the table meanwhile."""
    producer = Producer(kafka)
    count = 0
    try:
        for some in _batches(due_s):
            await producer.send_all([copy_of(original, at) for at in some])
            if (count + len(some)) // _SAY_EVERY > count // _SAY_EVERY:
                say(f"{count + len(some):,} rows of runs that wait written")
            count += len(some)
    finally:
        await producer.close()
    return count


def copy_of(original: Original, due_s: int) -> Send:
    """A row for the changelog. Ids have one length; the moment is there in seconds and in microseconds."""
    run_id = new_id()
    state = original.row.state
    for text, own in (
        (original.run_id, run_id),
        (original.execution_id, node_execution_id(run_id, NODE)),
        (original.log_id, new_id()),
        (b"%d" % original.due_s, str(due_s)),
    ):
        state = state.replace(text, own.encode())
    row = RunRow(float(due_s), original.row.pinned, state)
    return Send(_CHANGELOG, run_id.encode(), row.encode())


def _batches(due_s: Iterable[int]) -> Iterator[list[int]]:
    some: list[int] = []
    for at in due_s:
        some.append(at)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
