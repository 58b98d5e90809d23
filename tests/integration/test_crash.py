"""Ten thousand webhooks, some sent twice, while processes are killed: one run for each order and no other."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.audit import audit, until_quiet
from bench.fleet import Fleet
from bench.journal import Journal
from bench.orders import Order, batch_name, orders
from bench.traffic import Traffic, mixed

pytestmark = pytest.mark.broker

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


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Fleet]:
    """A broker, a front and two workers."""
    async with Fleet(tmp_path / "fleet", workers=2) as fleet:
        yield fleet


@pytest.fixture
async def single(tmp_path: Path) -> AsyncIterator[Fleet]:
    """A broker, a front and one worker."""
    async with Fleet(tmp_path / "fleet", workers=1) as fleet:
        yield fleet


async def test_each_order_has_one_run_whoever_is_killed(single: Fleet, tmp_path: Path) -> None:
    """Nobody, then the worker, then the front, each after half of ten thousand requests."""
    job = await single.deployment.install_job()
    with Journal(tmp_path / "journal.txt") as journal:
        for round_, blow in enumerate((_nobody, _kill_worker, _kill_front), 1):
            half_way = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                events = _marked(_events(), half_way)
                group.create_task(Traffic(job.endpoint, journal).post_all(events))
                await half_way.wait()
                await blow(single)
            assert len(journal.acknowledged) == _UNIQUE * round_
            assert journal.repeats == _REPEATS * round_
            assert await until_quiet(single.deployment, single.kafka, _UNIQUE * round_), blow.__name__
            found = await audit(single.deployment, journal)
            assert found.clean, f"{blow.__name__}: {found} {found.examples}"
            runs = await single.deployment.select("SELECT count() AS runs FROM workflow_runs")
            assert runs[0]["runs"] == _UNIQUE * round_, blow.__name__


async def _nobody(fleet: Fleet) -> None:
    pass


async def _kill_worker(fleet: Fleet) -> None:
    await fleet.workers[0].kill()
    await fleet.start_worker(fleet.workers[0])


async def _kill_front(fleet: Fleet) -> None:
    await fleet.front.kill()
    await fleet.start_front()


async def test_other_worker_takes_over(pair: Fleet, tmp_path: Path) -> None:
    """Both have worked before; every order that is posted after the kill of one is done by the other."""
    job = await pair.deployment.install_job()
    batch = batch_name("over")
    source = orders(batch)
    with Journal(tmp_path / "journal.txt") as journal:
        traffic = Traffic(job.endpoint, journal)
        await traffic.post_all(itertools.islice(source, 2_000))
        assert await until_quiet(pair.deployment, pair.kafka, 2_000)
        for worker in pair.workers:
            assert await worker.metric("hopline_stage_records_total") > 500
        await pair.workers[0].kill()
        await traffic.post_at(50, 5, source, lambda _: None)
        assert await until_quiet(pair.deployment, pair.kafka, 2_250)
        found = await audit(pair.deployment, journal)
    assert found.clean, f"{found} {found.examples}"
