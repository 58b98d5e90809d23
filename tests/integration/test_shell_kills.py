"""Two workers under kills: each id exactly once in effect, nothing missing, nothing stuck."""

import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.shell_harness import DONE, IN, OUT, TASKS, Deployment, events, say, wait_for

pytestmark = pytest.mark.broker

_SECONDS = 7
_RATE = 100


@pytest.fixture(params=["memory", "rocksdb"])
def deployment(
    request: pytest.FixtureRequest, broker: str, topic_prefix: str, tmp_path: Path
) -> Iterator[Deployment]:
    deployment = Deployment(broker, topic_prefix, tmp_path, store=request.param)
    deployment.create_topics()
    yield deployment
    deployment.close()


def test_random_kills_lose_and_double_nothing(deployment: Deployment) -> None:
    chance = random.Random(7)
    for worker in ("w1", "w2"):
        deployment.start(worker)
    deployment.wait_ready("w1")
    sent: list[str] = []
    next_kill = time.monotonic() + 2
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        names = [f"e{len(sent) + i}" for i in range(_RATE // 10)]
        repeats = chance.sample(sent, min(len(sent), 2))
        deployment.produce(IN, events([*names, *repeats]))
        deployment.produce(TASKS, events(names))
        sent += names
        if time.monotonic() > next_kill:
            victim = chance.choice(("w1", "w2"))
            number = chance.choice((signal.SIGKILL, signal.SIGTERM))
            was_ready = deployment.is_ready(victim)
            code = deployment.stop(victim, number)
            # One that has just been started does not listen to SIGTERM yet.
            assert code in (0, -signal.SIGKILL) or not was_ready, deployment.log(victim)
            say(f"{deployment.store}: {victim} ended by {number.name}, {len(sent)} events sent")
            deployment.start(victim)
            next_kill = time.monotonic() + chance.uniform(1.0, 3.0)
        time.sleep(0.1)
    wait_for(lambda: len(set(deployment.ids(OUT))) >= len(sent), "all outputs", deployment)
    wait_for(lambda: len(set(deployment.ids(DONE))) >= len(sent), "all tasks", deployment)
    for worker in ("w1", "w2"):
        deployment.wait_ready(worker)
        assert deployment.stop(worker) == 0, deployment.log(worker)
    _assert_exactly_once(deployment, sent)


def _assert_exactly_once(deployment: Deployment, sent: list[str]) -> None:
    outputs = [json.loads(message.value()) for message in deployment.read(OUT)]
    assert {output["id"] for output in outputs} == set(sent)
    first = {(output["id"], *output["first"]) for output in outputs}
    assert len(first) == len(sent), "some id was forwarded from two different records"
    assert set(deployment.ids(DONE)) == set(sent)
    assert set(deployment.rows()) == set(sent)
    assert deployment.read("dead.letters") == []
    say(f"{deployment.store}: {len(sent)} ids, {len(outputs)} outputs, {len(deployment.ids(DONE))} tasks")
