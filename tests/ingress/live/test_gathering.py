"""Many runs at once, for one reader: in order, and once also where it comes back elsewhere."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from ingress.live import gathering as gatherings
from ingress.live.changes import LOGS, NODES, RUNS, Change, Place
from ingress.live.gathering import PATIENCE_S, Gathering, Sent
from ingress.live.matching import Chosen
from ingress.live.positions import Positions
from schemas.search import RunFilter, read_filter
from tests.ingress.live.records import RUN, Partition
from tests.sinks.records import TENANT, WORKFLOW

OTHER = "00000000-0000-4000-8000-000000000002"


def chosen(**given: str) -> Chosen:
    return Chosen(read_filter(RunFilter, given.items()), TENANT)


def gathering(of: Chosen, last_id: str = "", partitions: int = 1) -> Gathering:
    topics = (NODES, RUNS, LOGS)
    begins = {Place(topic, n): 0 for topic in topics for n in range(partitions)}
    return Gathering(of, Positions.parse(last_id, topics, partitions) if last_id else Positions(begins))


def feed(to: Gathering, changes: Iterable[Change], now: float = 0.0) -> list[Sent]:
    return [sent for change in changes for sent in to.take(change, now)]


def told(sent: Iterable[Sent]) -> list[tuple[str, str, int]]:
    return [(one.event.change.run_id or "", one.event.name, one.event.step) for one in sent]


def names(sent: Iterable[Sent]) -> list[str]:
    return [one.event.name for one in sent]


def some_runs(count: int, partition: int = 0) -> list[list[Change]]:
    """For each run what it writes, at once or over two hops. Offsets are given when they are written."""
    runs = []
    for number in range(count):
        of = Partition(f"00000000-0000-4000-8000-{partition * 1000 + number + 10:012}", partition)
        if number % 2:
            runs.append([of.node(1), of.node(2), of.run("SUCCEEDED", total_steps=2)])
        else:
            first = [of.node(1), of.node(2, "running"), of.run()]
            runs.append([*first, of.node(2, revision=2), of.run("SUCCEEDED", 2, total_steps=2)])
    return runs


def interleaved(runs: Sequence[Sequence[Change]], chance: random.Random) -> Iterator[Change]:
    """Written by many at once, in the order of each, and numbered as a topic does."""
    ends: dict[tuple[str, int], int] = {}
    left = [list(run) for run in runs]
    while any(left):
        change = chance.choice([run for run in left if run]).pop(0)
        key = change.topic, change.partition
        ends[key] = ends.get(key, -1) + 1
        change.offset = ends[key]
        yield change


def fetched(log: Sequence[Change], begins: dict[Place, int], chance: random.Random) -> Iterator[Change]:
    """As a consumer gets it: each partition in order, one faster than the other."""
    left: dict[Place, list[Change]] = {}
    for change in log:
        place = Place(change.topic, change.partition)
        if change.offset >= begins[place]:
            left.setdefault(place, []).append(change)
    while any(left.values()):
        place = chance.choice([place for place, changes in left.items() if changes])
        yield left[place].pop(0)


@pytest.mark.parametrize("seed", range(20))
def test_a_reader_that_is_cut_off_anywhere_misses_nothing_and_hears_nothing_twice(seed: int) -> None:
    chance = random.Random(seed)
    log = list(interleaved([*some_runs(6), *some_runs(5, partition=1)], chance))
    every = gathering(chosen(), partitions=2)
    whole = told(feed(every, fetched(log, every.positions.begins, chance)))
    heard: list[tuple[str, str, int]] = []
    last_id = ""
    while len(heard) < len(whole):
        reader = gathering(chosen(), last_id, 2)
        sent: list[Sent] = []
        for change in fetched(log, reader.positions.begins, chance):
            sent += reader.take(change, 0.0)
            if len(sent) > 7:
                break
        else:
            sent += reader.overdue(PATIENCE_S)
        kept = sent[: chance.randint(1, 7)]
        assert kept, "it goes on"
        heard += told(kept)
        last_id = kept[-1].id
    assert sorted(heard) == sorted(whole)
    assert len(whole) == len(set(whole))


@pytest.mark.parametrize("seed", range(20))
def test_each_run_is_told_in_order(seed: int) -> None:
    chance = random.Random(seed)
    log = list(interleaved(some_runs(9), chance))
    reader = gathering(chosen())
    heard = told(feed(reader, fetched(log, reader.positions.begins, chance)))
    for run_id in {run for run, _, _ in heard}:
        mine = [(name, step) for run, name, step in heard if run == run_id]
        assert mine == [
            ("workflow_started", 0), ("node_started", 1), ("node_finished", 1), ("node_started", 2),
            ("node_finished", 2), ("workflow_finished", 0),
        ]  # fmt: skip
    assert str(reader.positions).count("~") == 0, "nothing is held back"


def test_others_are_not_told_of() -> None:
    of = Partition()
    records: list[dict[str, Any]] = [
        {"tenant_id": "another"},
        {"workflow_id": "another"},
        {"app_id": "another"},
    ]
    changes = [of.run("SUCCEEDED", **other) for other in records] + [of.run("SUCCEEDED")]
    reader = gathering(chosen(workflow_id=WORKFLOW, app_id=changes[-1].record["app_id"]))
    assert len(feed(reader, changes)) == 2
    assert reader.positions.next[Place(RUNS, 0)] == 4


def test_the_end_of_a_run_that_was_joined_under_way_comes_after_a_moment() -> None:
    of = Partition()
    reader = gathering(chosen())
    over, node = of.run("SUCCEEDED", 2, total_steps=7), of.node(7, revision=2)
    assert names(feed(reader, [over, node], now=5.0)) == ["node_finished"]
    due = reader.next_due
    assert due is not None
    assert 5.0 < due < 5.5
    assert names(reader.overdue(due)) == ["workflow_finished"]
    assert reader.next_due is None


def test_a_state_is_told_without_nodes() -> None:
    of = Partition()
    reader = gathering(chosen(status="FAILED", error="No Stock"))
    assert feed(reader, [of.node(1), of.run()]) == []
    failed = of.run("FAILED", 2, error="there is no stock", total_steps=4)
    assert names(feed(reader, [failed])) == ["workflow_finished"]


def test_what_ended_at_once_began_too() -> None:
    of = Partition()
    assert names(feed(gathering(chosen(status="RUNNING")), [of.run("SUCCEEDED")])) == ["workflow_started"]


@pytest.mark.parametrize("log_first", [True, False])
def test_what_has_begun_a_run_is_known_from_its_log(log_first: bool) -> None:
    heard = []
    for trigger in ("WEBHOOK", "SCHEDULE"):
        of = Partition()
        log, changes = of.log(trigger), [of.node(1), of.run("SUCCEEDED", total_steps=1)]
        reader = gathering(chosen(trigger_type="webhook"))
        heard.append(names(feed(reader, [log, *changes] if log_first else [*changes, log])))
        assert reader.unknown == []
        assert str(reader.positions).count("~") == 0
    assert heard == [["workflow_started", "node_started", "node_finished", "workflow_finished"], []]


@pytest.mark.parametrize("fits", [True, False])
def test_who_knows_the_history_says_whether_a_run_from_before_fits(fits: bool) -> None:
    of = Partition()
    reader = gathering(chosen(version="1"))
    assert feed(reader, [of.node(3, revision=2), of.node(4)]) == []
    assert reader.unknown == [RUN]
    sent = list(reader.judge(RUN, fits, 0.0))
    assert names(sent) == (["node_finished", "node_started", "node_finished"] if fits else [])
    assert reader.unknown == []
    assert str(reader.positions).count("~") == 0
    assert len(feed(reader, [of.node(5)])) == (2 if fits else 0)


def test_a_run_of_which_too_little_is_known_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatherings, "_MOST_RUNS", 2)
    reader = gathering(chosen(version="2026-01-01 00:00:00.000000"), partitions=5)
    runs = [Partition(f"00000000-0000-4000-8000-{10 + n:012}", n) for n in range(5)]
    nodes, ends = [of.node(1) for of in runs], [of.run("SUCCEEDED", total_steps=1) for of in runs]
    assert feed(reader, nodes) == []
    assert len(feed(reader, ends)) == 4 * 5


def test_of_very_many_runs_from_before_some_are_asked_about_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gatherings, "_MOST_UNKNOWN", 2)
    reader = gathering(chosen(version="1"), partitions=3)
    runs = [Partition(f"00000000-0000-4000-8000-{10 + n:012}", n) for n in range(3)]
    assert feed(reader, [of.node(4) for of in runs]) == []
    first, second = reader.unknown
    assert len([*reader.judge(first, True, 0.0), *reader.judge(second, True, 0.0)]) == 4
    assert reader.unknown == [runs[2].run_id]


def test_a_run_that_is_over_is_not_told_again_after_a_crash() -> None:
    of = Partition()
    reader = gathering(chosen())
    changes = [of.node(1), of.run("SUCCEEDED", total_steps=1)]
    assert len(feed(reader, changes)) == 4
    assert feed(reader, [of.node(1), of.run("SUCCEEDED", total_steps=1)]) == []
