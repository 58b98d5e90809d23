"""Ten thousand webhooks, some sent twice, while processes are killed: one run for each order and no other."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from bench.audit import audit, until_quiet
from bench.fleet import Fleet
from bench.journal import Journal
from bench.orders import Order, batch_name, orders
from bench.traffic import Traffic, mixed

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

_UNIQUE = 9_500
_REPEATS = 500
_SEED = 20_418


def _events() -> list[Order]:
    unique = list(itertools.islice(orders(batch_name("crash")), _UNIQUE))
    return mixed(unique, _REPEATS, random.Random(_SEED))


def _marked(events: list[Order], marks: Sequence[asyncio.Event]) -> Iterator[Order]:
    """All events; between parts of the same size one mark after the other is set."""
    part = len(events) // (len(marks) + 1)
    begins = {part * number: mark for number, mark in enumerate(marks, 1)}
    for number, order in enumerate(events):
        if number in begins:
            begins[number].set()
        yield order


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """A broker, a front and two workers. Tests may kill what they like, and start what they need."""
    async with Fleet(tmp_path_factory.mktemp("crash") / "fleet", workers=2) as fleet:
        yield fleet


async def test_other_worker_takes_over(fleet: Fleet, tmp_path: Path) -> None:
    """Both have worked before; every order that is posted after the kill of one is done by the other."""
    for worker in fleet.workers:
        if not worker.running:
            await fleet.start_worker(worker)
    done = await _runs(fleet)
    before = [await worker.metric("hopline_stage_records_total") for worker in fleet.workers]
    job = await fleet.deployment.install_job()
    source = orders(batch_name("over"))
    with Journal(tmp_path / "journal.txt") as journal:
        traffic = Traffic(job.endpoint, journal)
        await traffic.post_all(itertools.islice(source, 2_000))
        assert await until_quiet(fleet.deployment, fleet.kafka, done + 2_000)
        for worker, count in zip(fleet.workers, before, strict=True):
            assert await worker.metric("hopline_stage_records_total") > count + 500
        await fleet.workers[0].kill()
        await traffic.post_at(50, 5, source, lambda _: None)
        assert await until_quiet(fleet.deployment, fleet.kafka, done + 2_250)
        found = await audit(fleet.deployment, journal)
    assert found.clean, f"{found} {found.examples}"


async def test_each_order_has_one_run_whoever_is_killed(fleet: Fleet, tmp_path: Path) -> None:
    """Nobody during the first third of ten thousand requests, then the front, then the only worker.

    In this order both are killed amid their work: nothing is posted while the front is down.
    """
    await fleet.workers[0].stop()
    done, worker = await _runs(fleet), fleet.workers[1]
    job = await fleet.deployment.install_job()
    second, third = asyncio.Event(), asyncio.Event()
    with Journal(tmp_path / "journal.txt") as journal:
        async with asyncio.TaskGroup() as group:
            events = _marked(_events(), (second, third))
            group.create_task(Traffic(job.endpoint, journal).post_all(events))
            await second.wait()
            await fleet.front.kill()
            await fleet.start_front()
            assert not third.is_set()
            await third.wait()
            await worker.kill()
            await fleet.start_worker(worker)
        assert len(journal.acknowledged) == _UNIQUE
        assert journal.repeats == _REPEATS
        assert await until_quiet(fleet.deployment, fleet.kafka, done + _UNIQUE)
        found = await audit(fleet.deployment, journal)
        assert found.clean, f"{found} {found.examples}"
        assert await _runs(fleet) == done + _UNIQUE


async def _runs(fleet: Fleet) -> int:
    [counted] = await fleet.deployment.select("SELECT count() AS runs FROM workflow_runs")
    return int(counted["runs"])
