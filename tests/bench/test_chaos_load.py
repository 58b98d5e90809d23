"""The load of the chaos suite is the same for the same seed, and what the receiver does as well."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict

from bench.chaos.calls import Call, CallJournal, read_calls
from bench.chaos.events import REPEATED, Event, event_ids, events
from bench.chaos.installation import WORKFLOWS, Installed
from bench.chaos.kinds import APPS, CALLING, KINDS, Way
from bench.chaos.receiver import Fate, Receiver, Verdict, verdict
from bench.chaos.requests import request_of
from schemas.cloudevents import read_events
from schemas.dsl import parse_dsl


def first(count: int, seed: int = 1) -> list[Event]:
    return list(itertools.islice(events(seed), count))


def test_a_seed_decides_all_events() -> None:
    assert first(500) == first(500)
    assert [event.kind for event in first(500)] != [event.kind for event in first(500, seed=2)]
    assert not {event.id for event in first(500)} & {event.id for event in first(500, seed=2)}


def test_each_kind_comes_as_often_as_it_weighs() -> None:
    chosen = first(20_000)
    total = sum(kind.weight for kind in KINDS.values())
    seen = Counter(event.kind.name for event in chosen)
    for name, kind in KINDS.items():
        assert abs(seen[name] / len(chosen) - kind.weight / total) < 0.012, name
    repeated = sum(event.repeat_after_s is not None for event in chosen) / len(chosen)
    assert abs(repeated - REPEATED) < 0.005
    at_once = sum(event.repeat_after_s == 0 for event in chosen)
    assert at_once > 300


def test_ids_are_in_the_order_of_the_events_and_unique() -> None:
    ids = [event.id for event in first(2_000)]
    assert ids == sorted(set(ids))
    assert all(one.startswith(event_ids(1)) for one in ids)


@pytest.mark.parametrize("app", APPS)
def test_workflows_can_be_imported_and_have_the_nodes_that_are_expected(app: str) -> None:
    nodes = {
        node["id"]: node["data"]["type"]
        for node in parse_dsl((WORKFLOWS / f"{APPS[app]}.yml").read_text()).graph["nodes"]
    }
    assert {node for node, kind in nodes.items() if kind == "http-request"} == CALLING & nodes.keys()
    for event in first(3_000):
        if event.kind.app == app:
            assert event.kind.plan(event.inputs).nodes.keys() <= nodes.keys()


@pytest.mark.parametrize("way", Way)
def test_a_repeat_is_the_same_delivery(way: Way) -> None:
    event = next(event for event in events(1) if event.kind.way is way)
    name = event.kind.app
    installed = Installed({name: "w-1"}, {(name, way): "/triggers/webhook/x"}, github_path="/github")
    request = request_of(event, installed)
    assert request == request_of(event, installed)
    named = {value for header, value in request.headers.items() if header != "X-Hub-Signature-256"}
    if way is Way.CLOUDEVENTS:
        received = read_events(CIMultiDict(request.headers), request.body)
        assert [one.attributes.id for one in received] == [event.id]
    elif way is Way.CONTENT:
        assert not any(event.id in value for value in named)
    else:
        assert event.id in named
    assert event.id.encode() in request.body or way is Way.CLOUDEVENTS


def test_the_receiver_fails_as_the_fate_says() -> None:
    effects = [(f"e-{number}", "notify", 0) for number in range(300)]
    troubles = Counter(verdict(1, effect, Fate.REFUSED, 1) for effect in effects)
    assert troubles.keys() == {Verdict.ERROR, Verdict.CLOSE, Verdict.SLOW}
    for effect in effects:
        answers = {fate: [verdict(1, effect, fate, number) for number in range(1, 12)] for fate in Fate}
        assert answers == {
            fate: [verdict(1, effect, fate, number) for number in range(1, 12)] for fate in Fate
        }
        good = {fate: told.index(Verdict.OK) if Verdict.OK in told else -1 for fate, told in answers.items()}
        assert good[Fate.FLAKY] in (1, 2)
        assert (good[Fate.CALM], good[Fate.LATE], good[Fate.REFUSED]) == (0, 2, -1)
        assert set(answers[Fate.HUNG]) == {Verdict.NEVER}
        assert Verdict.SLOW not in answers[Fate.LATE]
    assert troubles != Counter(verdict(2, effect, Fate.REFUSED, 1) for effect in effects)


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[TestClient]:
    journal = CallJournal(tmp_path / "calls")
    async with TestClient(TestServer(Receiver(journal, seed=1).app)) as client:
        yield client
    journal.close()


async def _status(receiver: TestClient, key: str, fate: Fate, event_id: str = "e-1") -> int | None:
    """None: the connection was closed."""
    told = {"event_id": event_id, "fate": fate.value}
    try:
        async with receiver.post("/charge", json=told, headers={"Idempotency-Key": key}) as answer:
            return answer.status
    except aiohttp.ClientError:
        return None


async def test_the_same_key_gets_the_same_answer(receiver: TestClient, tmp_path: Path) -> None:
    event_id = next(
        one
        for one in (f"e-{number}" for number in itertools.count())
        if [verdict(1, (one, "charge", 0), Fate.LATE, ordinal) for ordinal in (1, 2)]
        == [Verdict.ERROR, Verdict.CLOSE]
    )
    sent = ["k-1", "k-1", "k-2", "k-1", "k-3", "k-2"]
    statuses = [await _status(receiver, key, Fate.LATE, event_id) for key in sent]
    assert statuses == [500, 500, None, 500, 200, None]
    calls = list(read_calls(tmp_path / "calls"))
    assert [call.key for call in calls] == sent
    assert [call.ordinal for call in calls] == [1, 1, 2, 1, 3, 2]
    assert {call.effect for call in calls} == {(event_id, "charge", 0)}


def test_the_receiver_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    effect = ("e-1", "charge", 0)
    before = CallJournal(tmp_path / "calls")
    for key in ("k-1", "k-2"):
        before.write(Call(1.0, key, *effect, before.ordinal(key, effect), Verdict.ERROR))
    before.close()
    after = CallJournal(tmp_path / "calls")
    assert [after.ordinal(key, effect) for key in ("k-2", "k-3", "k-1")] == [2, 3, 1]
    after.write(Call(2.0, "k-3", *effect, 3, Verdict.OK))
    after.close()
    assert [call.key for call in read_calls(tmp_path / "calls")] == ["k-1", "k-2", "k-3"]
