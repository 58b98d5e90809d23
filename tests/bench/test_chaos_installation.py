"""The chaos suite installs what ingresses take, and its producer finds the one that takes an event."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from bench.chaos.doors import Doors
from bench.chaos.events import Event, events
from bench.chaos.installation import SCHEDULE_EVERY_S
from bench.chaos.kinds import APPS, Way
from bench.chaos.load import Load
from bench.chaos.producer import Producer
from bench.journal import Journal
from tests.ingress.stand_ins import API_KEY, StandIns, assemble, new_settings

TYPES = {
    Way.WEBHOOK: "WEBHOOK",
    Way.CONTENT: "WEBHOOK",
    Way.RETRYING: "WEBHOOK",
    Way.CLOUDEVENTS: "CLOUDEVENTS",
    Way.GITHUB: "GITHUB",
    Way.MANUAL: "MANUAL",
}


@pytest.fixture
def ingresses() -> tuple[StandIns, StandIns]:
    """Of one deployment."""
    first = StandIns()
    return first, StandIns(configured=first.configured)


@pytest.fixture
async def load(ingresses: tuple[StandIns, StandIns], tmp_path: Path) -> AsyncIterator[Load]:
    one, other = (TestServer(assemble(stand_ins, new_settings())) for stand_ins in ingresses)
    async with one, other:
        addresses = [str(server.make_url("")) for server in (one, other)]
        load = Load(addresses, API_KEY, 1, tmp_path, "http://127.0.0.1:9")
        with load.journal:
            await load.install()
            yield load


async def _post(load: Load, tmp_path: Path, chosen: list[Event]) -> Producer:
    with Journal(tmp_path / "journal") as journal:
        async with Doors(load.addresses, API_KEY) as doors:
            producer = Producer(doors, load.installed, journal, seed=1)
            acknowledged: list[str] = []
            await producer.post(chosen, 2_000, lambda event: acknowledged.append(event.id))
    assert sorted(acknowledged) == [event.id for event in chosen]
    assert journal.acknowledged == set(acknowledged)
    assert journal.repeats == sum(event.repeat_after_s is not None for event in chosen)
    return producer


def _soon(count: int) -> list[Event]:
    """Events of every kind, repeated at once if at all."""
    chosen = (event for event in events(1) if not event.repeat_after_s)
    return list(itertools.islice(chosen, count))


async def test_every_kind_of_event_is_accepted_under_one_name(
    load: Load, ingresses: tuple[StandIns, StandIns], tmp_path: Path
) -> None:
    assert load.installed.workflows.keys() == APPS.keys()
    assert [schedule.every_s for schedule in load.installed.schedules] == list(SCHEDULE_EVERY_S)
    chosen = _soon(400)
    producer = await _post(load, tmp_path, chosen)
    assert not producer.odd
    accepted = [event for stand_ins in ingresses for event in stand_ins.sent.events()]
    assert all(stand_ins.sent.events() for stand_ins in ingresses)
    assert Counter(event["trigger_type"] for event in accepted) == Counter(
        TYPES[event.kind.way] for event in chosen for _ in range(1 + (event.repeat_after_s is not None))
    )
    names = Counter(event["dedup_key"] for event in accepted)
    assert len(names) == len(chosen)
    assert set(names.values()) == {1, 2}


async def test_what_one_ingress_refuses_another_one_gets(
    load: Load, ingresses: tuple[StandIns, StandIns], tmp_path: Path
) -> None:
    ingresses[0].sent.fails = True
    chosen = _soon(20)
    producer = await _post(load, tmp_path, chosen)
    assert not producer.odd
    assert not ingresses[0].sent.events()
    assert len({event["dedup_key"] for event in ingresses[1].sent.events()}) == len(chosen)


async def test_a_refusal_that_no_outage_excuses_is_told(load: Load, tmp_path: Path) -> None:
    event = next(event for event in events(1) if event.kind.way is Way.GITHUB)
    right, load.installed.github_secret = load.installed.github_secret, "another"
    with Journal(tmp_path / "journal") as journal:
        async with Doors(load.addresses, API_KEY) as doors:
            producer = Producer(doors, load.installed, journal, seed=1)
            assert await producer._try(event, 0) == "status 401"
            load.installed.github_secret = right
            assert await producer._try(event, 0) is None
    assert producer.odd.total() == 1


async def test_schedules_are_paused_at_the_end(
    load: Load, ingresses: tuple[StandIns, StandIns], tmp_path: Path
) -> None:
    await load.stop_schedules()
    assert all(schedule.until is not None for schedule in load.installed.schedules)
    triggers = ingresses[0].configured.definitions.triggers
    paused = {trigger.id for trigger in triggers.values() if trigger.status == "PAUSED"}
    assert paused == {schedule.trigger_id for schedule in load.installed.schedules}
