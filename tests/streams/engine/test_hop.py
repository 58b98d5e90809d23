"""What is left of a hop when it is over."""

import gc

from streams.engine.hop import Hop
from tests.graphs import code, end, graph, start
from tests.streams.engine.harness import Run

GRAPH = graph([start(), code("work"), end()], ("start", "work"), ("work", "end"))


def test_nothing_of_it_waits_for_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        Run(GRAPH).start().answer("work", result=1)
        assert not [left for left in gc.get_objects() if isinstance(left, Hop)]
    finally:
        gc.enable()
