"""One run is told in order and once, however its records come."""

import itertools
from collections.abc import Iterable

import pytest

from ingress.live.changes import Change, Event
from ingress.live.story import Story
from ingress.live.told import Told
from tests.ingress.live.records import Partition


def names(events: Iterable[Event]) -> list[str]:
    """The name of each event, with the index of its node."""
    return [event.name + (f" {event.step}" if event.step else "") for event in events]


def take_all(story: Story, changes: Iterable[Change]) -> list[Event]:
    return [event for change in changes for event in story.take(change)]


WHOLE = [
    "workflow_started", "node_started 1", "node_finished 1", "node_started 2", "node_finished 2",
    "workflow_finished",
]  # fmt: skip


def one_hop() -> tuple[list[Change], list[Change]]:
    """Records of nodes and of the run, which has one."""
    of = Partition()
    return [of.node(1), of.node(2)], [of.run("SUCCEEDED", total_steps=2)]


def two_hops() -> tuple[list[Change], list[Change]]:
    of = Partition()
    nodes = [of.node(1), of.node(2, "running"), of.node(2, revision=2)]
    return nodes, [of.run(), of.run("SUCCEEDED", 2, total_steps=2)]


@pytest.mark.parametrize("records", [one_hop, two_hops])
def test_the_order_does_not_depend_on_which_topic_is_faster(records: object) -> None:
    assert callable(records)
    nodes, runs = records()
    places = range(len(nodes) + len(runs))
    for chosen in itertools.combinations(places, len(runs)):
        of_runs, of_nodes = iter(runs), iter(nodes)
        mixed = [next(of_runs) if place in chosen else next(of_nodes) for place in places]
        story = Story()
        assert names(take_all(story, mixed)) == WHOLE, chosen
        assert story.told.ended
        assert not story.is_waiting


def test_what_a_crash_repeats_is_told_once() -> None:
    nodes, runs = two_hops()
    changes = [nodes[0], runs[0], nodes[1], nodes[0], runs[0], nodes[1], nodes[2], runs[1], nodes[2], runs[1]]
    assert names(take_all(Story(), changes)) == WHOLE


def test_a_retry_has_its_own_beginning_and_the_end_waits_for_the_last_attempt() -> None:
    of = Partition()
    begun, running, retry = of.run(), of.node(1, "running"), of.node(1, "retry", revision=2)
    again, failed = of.node(1, "running", 2), of.node(1, "failed", 2, revision=2)
    over = of.run("FAILED", 2, total_steps=1, exceptions_count=2)
    story = Story()
    told = take_all(story, [begun, running, retry, over])
    assert names(told) == ["workflow_started", "node_started 1", "node_retry 1"]
    assert names(take_all(story, [again, failed])) == [
        "node_started 1",
        "node_finished 1",
        "workflow_finished",
    ]


def test_a_run_that_is_stopped_between_two_attempts_ends() -> None:
    of = Partition()
    changes = [of.run(), of.node(1, "running"), of.node(1, "retry", revision=2)]
    over = of.run("STOPPED", 2, total_steps=1, exceptions_count=1)
    assert names(take_all(Story(), [*changes, over]))[-1] == "workflow_finished"


def test_a_pause_is_told_after_the_node_that_pauses() -> None:
    of = Partition()
    paused, node = of.run("PAUSED", total_steps=2), of.node(1)
    waits, answered = of.node(2, "paused"), of.node(2, revision=2)
    goes_on, over = of.run("RUNNING", 2), of.run("SUCCEEDED", 3, total_steps=3)
    task, last = of.node(3, "running"), of.node(3, revision=2)
    told = take_all(Story(), [paused, node, waits, goes_on, answered, task, over, last])
    assert names(told) == [
        "workflow_started", "node_started 1", "node_finished 1", "node_started 2", "node_paused 2",
        "workflow_paused", "workflow_resumed", "node_finished 2", "node_started 3", "node_finished 3",
        "workflow_finished",
    ]  # fmt: skip


def test_a_pause_that_is_over_is_not_told_where_the_history_has_lost_its_nodes() -> None:
    of = Partition()
    changes = [
        of.run("PAUSED", 2, total_steps=1),
        of.node(1, revision=2),
        of.run("SUCCEEDED", 3, total_steps=1),
    ]
    assert names(take_all(Story(), changes)) == [
        "workflow_started", "node_started 1", "node_finished 1", "workflow_finished",
    ]  # fmt: skip


def test_what_never_comes_is_not_waited_for_for_ever() -> None:
    of = Partition()
    story = Story()
    node, over = of.node(1), of.run("SUCCEEDED", total_steps=2)
    assert take_all(story, [node]) == []
    assert story.holds(node)
    assert names(story.take(over)) == ["workflow_started", "node_started 1", "node_finished 1"]
    assert story.is_waiting
    assert story.holds(over)
    assert names(story.release()) == ["workflow_finished"]


def test_a_story_that_was_joined_under_way_waits_for_no_beginning() -> None:
    of = Partition()
    story = Story(is_whole=False, has_all_revisions=True)
    assert names(story.take(of.node(4, revision=2))) == ["node_finished 4"]
    assert names(story.take(of.node(5))) == ["node_started 5", "node_finished 5"]
    assert story.take(of.run("SUCCEEDED", 2, total_steps=5)) == []
    assert names(story.release()) == ["workflow_finished"]


@pytest.mark.parametrize("records", [one_hop, two_hops])
def test_a_reader_that_comes_back_is_told_the_rest(records: object) -> None:
    assert callable(records)
    nodes, runs = records()
    changes = [*runs[:-1], *nodes, runs[-1]]
    told = Told()
    for cut, event in enumerate(take_all(Story(), changes), 1):
        told.add(event)
        again = Story(Told.parse(str(told)))
        # The history has no more than the latest record of each.
        latest = [runs[-1], *{change.record["id"]: change for change in nodes}.values()]
        assert names(take_all(again, latest)) == WHOLE[cut:], str(told)


def test_a_reader_that_comes_back_between_attempts_is_told_of_the_next() -> None:
    of = Partition()
    begun, running, retry = of.run(), of.node(1, "running"), of.node(1, "retry", revision=2)
    again, ended = of.node(1, "running", 2), of.node(1, "succeeded", 2, revision=2)
    over = of.run("PARTIAL_SUCCEEDED", 2, total_steps=1, exceptions_count=1)
    changes = [begun, running, retry, again, ended, over]
    whole = names(take_all(Story(), changes))
    told = Told()
    for cut, event in enumerate(take_all(Story(), changes), 1):
        told.add(event)
        assert names(take_all(Story(Told.parse(str(told))), changes)) == whole[cut:], str(told)
