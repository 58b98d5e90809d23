"""For any owners that write and die, and any compaction: what is read back is what was written whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.shell.overlay import Overlay
from streams.shell.replay import Recovered
from streams.shell.rows import Epoch, MemoryRows
from streams.shell.stage import Decision, Stage
from streams.shell.table import EPOCH_HEADER, MORE_HEADER, Table
from transport.producer import Send

KEYS = ("p", "q", "r", "r/a", "r/b", "r/c", "s", "s/a")
STAGE = Stage("s", "t", lambda *_: Decision(), "runs")

Model = dict[str, bytes]


@dataclass
class Log:
    """A compacted topic of one partition."""

    rows: list[tuple[int, Send]] = field(default_factory=list)
    end: int = 0

    def append(self, sends: list[Send]) -> list[int]:
        offsets = list(range(self.end, self.end + len(sends)))
        self.rows += zip(offsets, sends, strict=True)
        self.end += len(sends)
        return offsets

    def compact(self, below: int, chance: Random) -> None:
        """Of rows that a later one below the same offset replaces, some are removed. What is at the end of
        the log is left alone, as by Kafka, until an owner has corrected it."""
        newest = {send.key: offset for offset, send in self.rows if offset < below}
        self.rows = [
            (offset, send)
            for offset, send in self.rows
            if offset >= newest.get(send.key, -1) or chance.random() < 0.3
        ]

    def recovered(self, start: int) -> list[Recovered]:
        return [_read(offset, send) for offset, send in self.rows if offset >= start]


def _read(offset: int, send: Send) -> Recovered:
    headers = dict(send.headers)
    assert send.key is not None
    epoch = Epoch.decode(headers[EPOCH_HEADER])
    return Recovered(send.key.decode(), send.value, epoch, offset, int(headers.get(MORE_HEADER, 0)))


def recover(log: Log, table: Table, generation: int, chance: Random) -> None:
    """In chunks of any size."""
    rows = log.recovered(table.open(0, 0, log.end, generation))
    while rows:
        count = chance.randint(1, len(rows))
        table.recover(0, rows[:count], rows[count - 1].offset)
        rows = rows[count:]
    table.recovered(0, log.end - 1)


def written(model: Model, turn: dict[str, bytes | None], whole: Callable[[str], bool]) -> Model:
    """The model after those rows of a turn whose owner is written whole."""
    merged = {**model, **{key: value for key, value in turn.items() if whole(key.partition("/")[0])}}
    return {key: value for key, value in merged.items() if value is not None}


turns = st.lists(
    st.dictionaries(
        st.sampled_from(KEYS), st.one_of(st.none(), st.binary(min_size=1, max_size=2)), min_size=1
    ),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(turns, st.booleans()), min_size=1, max_size=6), st.integers(0, 2**32))
def test_what_is_read_back_was_written_whole(
    owners: list[tuple[list[dict[str, bytes | None]], bool]], seed: int
) -> None:
    chance, log, model = Random(seed), Log(), Model()
    table = Table(STAGE, MemoryRows())
    for generation, (owned, is_new) in enumerate(owners):
        table = Table(STAGE, MemoryRows()) if is_new else table
        recover(log, table, generation, chance)
        assert dict(table.items(0)) == model
        corrections = table.corrections(0)
        sends = table.sends(0, corrections)
        if chance.random() < 0.3:
            log.append(sends[: chance.randint(0, len(sends))])
            continue
        if corrections:
            table.confirm(0, corrections, log.append(sends))
        model = die_in_the_last(log, table, owned, model, chance)
    fresh = Table(STAGE, MemoryRows())
    recover(log, fresh, len(owners), chance)
    assert dict(fresh.items(0)) == model


def die_in_the_last(
    log: Log, table: Table, turns_: list[dict[str, bytes | None]], model: Model, chance: Random
) -> Model:
    """Writes the turns, of the last one as much as there is time for."""
    for number, turn in enumerate(turns_):
        log.compact(chance.randint(0, log.end), chance)
        overlay = Overlay(table)
        overlay.write(0, turn)
        writes = overlay.writes()[0]
        sends = table.sends(0, writes)
        count = chance.randint(0, len(sends)) if number == len(turns_) - 1 else len(sends)
        offsets = log.append(sends[:count])
        if count == len(sends):
            table.confirm(0, writes, offsets)
        lost = {str(key).partition("/")[0] for key, _ in writes[count:]}
        model = written(model, turn, lambda owner, lost=lost: owner not in lost)  # type: ignore[misc]
    return model


def test_a_row_without_an_epoch_counts_by_itself() -> None:
    table = Table(STAGE, MemoryRows())
    table.open(0, 0, 2, 1)
    table.recover(0, [Recovered("r", b"1", None, 0), Recovered("r/a", b"2", None, 1)], 1)
    table.recovered(0, 1)
    assert dict(table.items(0)) == {"r": b"1", "r/a": b"2"}


def test_a_late_row_within_a_group_leaves_it_whole() -> None:
    late, owner = Epoch(0, 1), Epoch(1, 2)
    rows: list[Any] = [
        Recovered("x", b"0", owner, 0),
        Recovered("r", b"1", owner, 1, more=1),
        Recovered("q", b"9", late, 2),
        Recovered("r/a", b"2", owner, 3),
    ]
    table = Table(STAGE, MemoryRows())
    table.open(0, 0, 4, 3)
    table.recover(0, rows, 3)
    table.recovered(0, 3)
    assert dict(table.items(0)) == {"x": b"0", "r": b"1", "r/a": b"2"}
    assert table.corrections(0) == [("q", None)]
