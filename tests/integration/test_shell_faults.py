"""Each repair of the shell, in a scenario that loses events as soon as the repair is switched off.

The faults are injected, not hoped for. `repair=False` shows that the scenario is worth its name.
"""

import signal
import time
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from streams.shell.errors import EXIT_REPLAY
from tests.integration.shell_harness import (
    DONE,
    IN,
    OUT,
    PARTITIONS,
    PATIENCE_S,
    TASKS,
    Deployment,
    events,
    say,
    wait_for,
)

pytestmark = pytest.mark.broker

SENT = [f"e{number}" for number in range(40)]


def _settle(deployment: Deployment, topic: str, source: str) -> set[str]:
    """Lets a healthy worker finish whatever is not acknowledged; the ids that are there in the end."""
    deployment.start("w1")
    deployment.wait_ready("w1")
    ends = [0, 0, 0, 0]
    for message in deployment.read(source):
        ends[message.partition()] = max(ends[message.partition()], message.offset() + 1)
    wait_for(lambda: deployment.committed(source) == [e or -1001 for e in ends], "the commits", deployment)
    assert deployment.stop("w1") == 0
    return set(deployment.ids(topic))


def _die(deployment: Deployment, worker: str) -> int:
    return deployment.workers.pop(worker).wait(PATIENCE_S)


@pytest.mark.parametrize("repair", [True, False])
def test_commit_stays_before_a_task_in_flight(deployment: Deployment, repair: bool) -> None:
    """A slow task at offset 5, quick ones after it, then kill -9 (faust issue 606)."""
    slow = [("slow", b'{"id": "slow", "blocks": true}')]
    quick = events(SENT)
    deployment.produce(TASKS, quick[:5] + slow + quick[5:], partition=0)
    deployment.start("w1", block_tasks=True, fault=None if repair else "commit-what-is-read")
    wait_for(lambda: len(deployment.ids(DONE)) == len(SENT), "the quick tasks", deployment)
    time.sleep(1.2)
    committed = deployment.committed(TASKS)[0]
    deployment.stop("w1", signal.SIGKILL)
    say(f"repair={repair}: offset 5 in flight, {committed} committed")
    assert (committed <= 5) is repair
    assert ("slow" in _settle(deployment, DONE, TASKS)) is repair


def test_a_commit_that_is_late_does_not_undo_that_of_the_next_owner(deployment: Deployment) -> None:
    """It was asked for under an assignment that is over when the coordinator hears of it."""
    deployment.start("w1", fault="answer-the-first-commit-late")
    deployment.wait_ready("w1")
    for partition in range(PARTITIONS):
        deployment.produce(IN, events([f"first{partition}"]), partition)
    wait_for(lambda: len(deployment.rows()) == PARTITIONS, "the first events", deployment)
    deployment.start("w2")
    deployment.wait_ready("w2")
    for partition in range(PARTITIONS):
        deployment.produce(IN, events([f"second{partition}"]), partition)
    wait_for(lambda: deployment.committed(IN).count(2) == 2, "the commits of one of them", deployment)
    late = [partition for partition, offset in enumerate(deployment.committed(IN)) if offset != 2]
    (deployment.folder / "thawed").touch()
    wait_for(lambda: {deployment.committed(IN)[each] for each in late} == {2}, "the others", deployment)
    assert deployment.committed(IN) == [2] * PARTITIONS


def test_a_worker_that_the_group_has_no_place_for_ends(deployment: Deployment) -> None:
    """While it has no partitions, it fetches nothing that could tell it."""
    deployment.start("w1", fault="fail-to-share")
    deployment.wait_ready("w1")
    deployment.start("w2")
    assert _die(deployment, "w1") == EXIT_REPLAY
    assert "nobody can have these" in deployment.log("w1")


def test_a_topic_that_gets_more_partitions_than_its_table_ends_the_process(deployment: Deployment) -> None:
    """What comes in them has no rows: each of its records would be a dead letter."""
    deployment.start("w1", fault="look-at-topics-often")
    deployment.wait_ready("w1")
    admin = AdminClient({"bootstrap.servers": deployment.bootstrap})
    (grown,) = admin.create_partitions([NewPartitions(deployment.prefix + IN, PARTITIONS + 1)]).values()
    grown.result(PATIENCE_S)
    assert _die(deployment, "w1") == EXIT_REPLAY
    deployment.start("w1")
    assert _die(deployment, "w1") == 1
    assert f"dedup has {PARTITIONS} partitions and {deployment.prefix}{IN} has 5" in deployment.log("w1")


@pytest.mark.parametrize("repair", [True, False])
def test_a_clean_shutdown_does_not_acknowledge_what_it_cancels(deployment: Deployment, repair: bool) -> None:
    """SIGTERM while a task is under way that takes longer than the grace."""
    deployment.produce(TASKS, [("slow", b'{"id": "slow", "blocks": true}')])
    deployment.start("w1", block_tasks=True, fault=None if repair else "acknowledge-cancelled")
    wait_for((deployment.folder / "blocked").exists, "the task to begin", deployment)
    began = time.monotonic()
    assert deployment.stop("w1") == 0
    say(f"repair={repair}: stopped in {time.monotonic() - began:.1f} s")
    assert ("slow" in _settle(deployment, DONE, TASKS)) is repair


@pytest.mark.parametrize("repair", [True, False])
def test_a_gap_in_the_offsets_ends_the_process(deployment: Deployment, repair: bool) -> None:
    """A record vanishes underneath; the process exits without acknowledging and the restart replays."""
    deployment.produce(IN, events(SENT), partition=0)
    fault = "lose-one-fetched-record"
    deployment.start("w1", fault=fault if repair else f"{fault},no-gap-guard")
    if repair:
        assert _die(deployment, "w1") == EXIT_REPLAY
        assert "expected offset 1, got 2" in deployment.log("w1")
    else:
        wait_for(lambda: deployment.committed(IN)[0] == len(SENT), "the commit", deployment)
        assert deployment.stop("w1") == 0
    missing = set(SENT) - _settle(deployment, OUT, IN)
    assert missing == (set() if repair else {"e1"})


@pytest.mark.parametrize("repair", [True, False])
def test_outputs_go_before_rows(deployment: Deployment, repair: bool) -> None:
    """A crash in the middle of the order, under a stage that takes a replay for a duplicate."""
    deployment.produce(IN, events(SENT), partition=0)
    fault = "crash-between-outputs-and-rows" if repair else "rows-before-outputs,crash-before-outputs"
    deployment.start("w1", fault=f"{fault},forget-the-first")
    assert _die(deployment, "w1") == -signal.SIGKILL
    deployment.start("w1", fault="forget-the-first")
    wait_for(lambda: deployment.committed(IN)[0] == len(SENT), "the commit", deployment)
    assert deployment.stop("w1") == 0
    assert set(deployment.ids(OUT)) == (set(SENT) if repair else set())
    assert set(deployment.rows()) == set(SENT)


FROZEN = {
    "checked before it writes": ("trust-every-row,freeze-before-rows", "w2"),
    "corrected after it wrote": ("freeze-while-rows-are-sent", "w2"),
    "neither": ("trust-every-row,no-ownership-check,freeze-before-rows", "w1"),
}
"""The faults, and whose rows stand in the end: those of w2, which took over, unless both repairs are off."""


def test_a_frozen_worker_does_not_overwrite_the_rows_of_the_next_owner(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    """A worker is frozen right before it writes, or while it does, is voted out, and wakes up.

    All cases at the same time, because a session takes its time to expire.
    """
    cases = {
        name: Deployment(broker, f"{topic_prefix}{number}.", tmp_path / str(number))
        for number, name in enumerate(FROZEN)
    }
    try:
        for name, deployment in cases.items():
            _freeze(deployment, FROZEN[name][0])
        for deployment in cases.values():
            wait_for(lambda d=deployment: d.committed(IN)[0] == len(SENT), "w2 to take over", deployment)
            assert _writers(deployment) == {"w2"}
            deployment.workers["w1"].send_signal(signal.SIGCONT)
        time.sleep(4)  # Until both are members again; whoever gets the partition recovers it.
        for name, deployment in cases.items():
            say(f"{name}: the rows are those of {_writers(deployment)}")
            assert _writers(deployment) == {FROZEN[name][1]}
            assert set(deployment.ids(OUT)) == set(SENT)
    finally:
        for deployment in cases.values():
            deployment.close()


def _freeze(deployment: Deployment, faults: str) -> None:
    deployment.folder.mkdir()
    deployment.create_topics()
    deployment.produce(IN, events(SENT), partition=0)
    frozen = deployment.start("w1", fault=faults)
    wait_for(lambda: _state(frozen.pid) == "T", "w1 to freeze", deployment)
    deployment.start("w2", fault="trust-every-row" if "trust-every-row" in faults else None)


def _writers(deployment: Deployment) -> set[str]:
    return {row["by"] for row in deployment.rows().values()}


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
