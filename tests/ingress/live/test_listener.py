"""What waits for a reader is bounded."""

from ingress.live.changes import RUNS, Change
from ingress.live.listener import DRAINING, SLOW_READER, Listener


def changes(*sizes: int) -> list[Change]:
    return [Change(RUNS, 0, offset, {}, size) for offset, size in enumerate(sizes)]


async def test_everything_that_waits_is_taken_at_once() -> None:
    listener = Listener(None, 10_000)
    given = changes(10, 20)
    listener.give(given[:1])
    listener.give(given[1:])
    assert await listener.get(0) == given
    assert await listener.get(0) == []


async def test_who_does_not_read_is_cut_off() -> None:
    listener = Listener(None, 10_000)
    for change in changes(8_000, 8_000, 1):
        listener.give([change])
    assert listener.ending is SLOW_READER
    assert await listener.get(60) == [], "it is woken, and there is nothing left"
    listener.end(DRAINING)
    assert listener.ending is SLOW_READER


async def test_a_single_record_may_be_larger_than_all_that_may_wait() -> None:
    listener = Listener(None, 10_000)
    listener.give(changes(1_000_000))
    assert len(await listener.get(60)) == 1
    assert listener.ending is None
