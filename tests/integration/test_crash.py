"""Ten thousand webhooks, some sent twice, while processes are killed: one run for each order and no other."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
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


def _marked(events: list[Order], half_way: asyncio.Event) -> Iterator[Order]:
    for number, order in enumerate(events):
        if number == len(events) // 2:
            half_way.set()
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
    """Nobody, then the only worker, then the front, each after half of ten thousand requests."""
    await fleet.workers[0].stop()
    done = await _runs(fleet)
    job = await fleet.deployment.install_job()
    with Journal(tmp_path / "journal.txt") as journal:
        for round_, blow in enumerate((_nobody, _kill_worker, _kill_front), 1):
            half_way = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                events = _marked(_events(), half_way)
                group.create_task(Traffic(job.endpoint, journal).post_all(events))
                await half_way.wait()
                await blow(fleet)
            assert len(journal.acknowledged) == _UNIQUE * round_
            assert journal.repeats == _REPEATS * round_
            expected = done + _UNIQUE * round_
            assert await until_quiet(fleet.deployment, fleet.kafka, expected), blow.__name__
            found = await audit(fleet.deployment, journal)
            assert found.clean, f"{blow.__name__}: {found} {found.examples}"
            assert await _runs(fleet) == expected, blow.__name__


async def _runs(fleet: Fleet) -> int:
    [counted] = await fleet.deployment.select("SELECT count() AS runs FROM workflow_runs")
    return int(counted["runs"])


async def _nobody(fleet: Fleet) -> None:
    pass


async def _kill_worker(fleet: Fleet) -> None:
    await fleet.workers[1].kill()
    await fleet.start_worker(fleet.workers[1])


async def _kill_front(fleet: Fleet) -> None:
    await fleet.front.kill()
    await fleet.start_front()
