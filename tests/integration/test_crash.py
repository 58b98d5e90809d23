"""Ten thousand webhooks, some sent twice, while processes are killed: one run for each order and no other."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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


async def _check_each_has_one_run(
    fleet: Fleet, path: Path, blow: Callable[[Fleet], Awaitable[None]] | None = None
) -> None:
    """Posts all events, with the blow after half of them; compares journal and history."""
    job = await fleet.deployment.install_job()
    with Journal(path) as journal:
        half_way = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(Traffic(job.endpoint, journal).post_all(_marked(_events(), half_way)))
            await half_way.wait()
            if blow is not None:
                await blow(fleet)
        assert len(journal.acknowledged) == _UNIQUE
        assert journal.repeats == _REPEATS
        assert await until_quiet(fleet.deployment, fleet.kafka, _UNIQUE)
        found = await audit(fleet.deployment, journal)
    assert found.clean, f"{found} {found.examples}"
    runs = await fleet.deployment.select("SELECT count() AS runs FROM workflow_runs")
    assert runs[0]["runs"] == _UNIQUE


async def test_each_order_has_one_run(single: Fleet, tmp_path: Path) -> None:
    await _check_each_has_one_run(single, tmp_path / "journal.txt")


async def test_worker_is_killed_and_restarted(single: Fleet, tmp_path: Path) -> None:
    async def blow(fleet: Fleet) -> None:
        await fleet.workers[0].kill()
        await fleet.start_worker(fleet.workers[0])

    await _check_each_has_one_run(single, tmp_path / "journal.txt", blow)


async def test_front_is_killed_and_restarted(single: Fleet, tmp_path: Path) -> None:
    async def blow(fleet: Fleet) -> None:
        await fleet.front.kill()
        await fleet.start_front()

    await _check_each_has_one_run(single, tmp_path / "journal.txt", blow)


async def test_other_worker_takes_over(pair: Fleet, tmp_path: Path) -> None:
    """Both have worked before, and every order that is posted after the kill ends within 10 s of it."""
    job = await pair.deployment.install_job()
    batch = batch_name("over")
    source = orders(batch)
    with Journal(tmp_path / "journal.txt") as journal:
        traffic = Traffic(job.endpoint, journal)
        await traffic.post_all(itertools.islice(source, 2_000))
        assert await until_quiet(pair.deployment, pair.kafka, 2_000)
        for worker in pair.workers:
            assert await worker.metric("hopline_stage_records_total") > 500
        killed_at = time.time()
        await pair.workers[0].kill()
        await traffic.post_at(50, 5, source, lambda _: None)
        assert await until_quiet(pair.deployment, pair.kafka, 2_250)
        found = await audit(pair.deployment, journal)
    assert found.clean, f"{found} {found.examples}"
    last = await pair.deployment.select("SELECT max(toFloat64(recorded_at)) AS at FROM workflow_runs")
    assert last[0]["at"] - killed_at < 10
