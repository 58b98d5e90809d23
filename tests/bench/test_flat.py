"""Whom the orders go to, what is deployed, and what the tables say."""

from collections import Counter
from itertools import islice

import orjson

from bench.connection import Endpoint
from bench.deployment import Deployment
from bench.flat import nodes, workflows
from bench.flat.cost import PARTS, Cost, middle, ratio
from bench.flat.doors import Doors, evenly, skewed
from bench.flat.filling import Filling
from bench.flat.workflows import EVEN, ONE, STARTED, Figures, Filled, Start
from schemas.codec import SingleObjectCodec
from schemas.models import Workflow
from transport.settings import KafkaSettings


def cost(ms: float) -> Cost:
    return Cost(10, 100.0, dict.fromkeys(PARTS, ms / len(PARTS)))


def test_evenly_is_each_as_often_as_any_other() -> None:
    assert Counter(islice(evenly(7), 21)) == dict.fromkeys(range(7), 3)


def test_skewed_is_four_of_five_to_one_hundredth() -> None:
    given = Counter(islice(skewed(1000), 20_000))
    assert 0.75 < sum(given[number] for number in range(10)) / 20_000 < 0.85
    assert max(given) > 900


def test_each_request_goes_to_the_next_door() -> None:
    endpoints = [Endpoint(f"http://127.0.0.1:1/{name}", "webhook-id") for name in "ab"]
    doors = Doors(endpoints, iter([1, 0]))
    assert [doors.request("1", b"{}").split()[1] for _ in "ab"] == [b"/b", b"/a"]


def test_no_two_workflows_that_are_written_have_the_same_graph() -> None:
    codec = SingleObjectCodec()
    filling = Filling(Deployment("http://127.0.0.1:1", "key"), "key", KafkaSettings())
    sends = [send for _ in "ab" for send in filling.records(codec)]
    assert [send.topic for send in sends[:4]] == [send.topic for send in sends[4:]]
    bodies = [orjson.loads(codec.decode("Definition", send.value)["body"]) for send in sends]
    draft, published, other = (Workflow.model_validate(bodies[i]) for i in (1, 2, 5))
    assert draft.graph == published.graph != other.graph
    assert bodies[3]["config"]["webhook_id"] in filling.endpoints[0].url


def test_tables() -> None:
    assert middle([cost(3), cost(1), cost(2)]).total_ms == 2
    assert ratio([cost(2), cost(3)], [cost(1), cost(2)]) == 1.75
    start = Start(1.5, 1.25, 200)
    figures = Figures(
        1000,
        Filled(500, 123.4, dict.fromkeys(PARTS, 2)),
        dict.fromkeys(STARTED, start),
        {ONE: [cost(1)], EVEN: [cost(1.1)]},
        dict.fromkeys(PARTS, 321),
    )
    assert "| 1,000     | all evenly | 0.367" in workflows.cost_table([figures])
    assert "1.10" in workflows.cost_table([figures])
    assert "123" in workflows.definition_table([figures])
    assert "250" in nodes.table({4: [cost(1)]})
