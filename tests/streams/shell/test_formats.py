"""Rows of a later release: a worker that cannot read them stops, before it has decided anything on them."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from streams.shell.assignment import Assignment
from streams.shell.errors import TooNew
from streams.shell.inbox import Delivery, Inbox, Limits
from streams.shell.metrics import NoMetrics
from streams.shell.ordered import OrderedStage
from streams.shell.outbox import Outbox
from streams.shell.replay import Recovered
from streams.shell.rows import Epoch, MemoryRows
from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, Kept, Record, Stage
from streams.shell.table import EPOCH_HEADER, FORMAT_HEADER, Table
from tests.streams.shell.conftest import FakeProducer, bury
from transport.settings import KafkaSettings


def table(form: int) -> Table:
    made = Table(Stage("s", "t", lambda *_: Decision(), "dedup", format=form), MemoryRows())
    made.open(0, 0, 9, 1)
    return made


def row(offset: int, form: int) -> Recovered:
    return Recovered(f"k{offset}", b"", Epoch(0, 1), offset, format=form)


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (2, 1), (2, 2)])
def test_rows_up_to_our_own_format_are_read(ours: int, theirs: int) -> None:
    read = table(ours)
    read.recover(0, [row(0, 1), row(1, theirs)], 1)
    assert dict(read.items(0)) == {"k0": b"", "k1": b""}


def test_rows_of_a_later_format_are_not() -> None:
    with pytest.raises(
        TooNew, match=r"changelog.dedup/0 has rows of format 3, and this release reads up to 2"
    ):
        table(2).recover(0, [row(0, 2), row(1, 3)], 1)


def test_every_row_says_its_format_unless_it_is_the_first() -> None:
    def headers(form: int) -> list[list[str]]:
        return [
            [name for name, _ in send.headers] for send in table(form).sends(0, [("a", b""), ("b", None)])
        ]

    assert headers(1) == [[EPOCH_HEADER]] * 2
    assert headers(2) == [[EPOCH_HEADER, FORMAT_HEADER]] * 2


Deliver = Callable[[Assignment, Iterable[tuple[int, bytes]]], Delivery]


async def test_a_stage_that_meets_one_ends_the_process_and_buries_nothing(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver, tmp_path: Path
) -> None:
    def decide(record: Record, kept: Kept, now: float) -> Decision:
        raise TooNew("a state of format 9")

    inbox = Inbox(Limits(10, 1000), asyncio.Event())
    stage = OrderedStage(
        Stage("s", "source", decide),
        None,
        inbox,
        Outbox(producer, 1),
        bury,
        settings=ShellSettings(KafkaSettings(), "w", tmp_path),
        clock=lambda: 0.0,
        metrics=NoMetrics(),
    )
    inbox.put(deliver(assignment, [(0, b"")]))
    with pytest.raises(TooNew):
        await stage.run()
    assert (producer.sent, assignment.offsets.unfinished()) == ([], 1)
