"""What a deployment may set about the engine."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.work_budget import MAX_STEPS

Clock = Callable[[], int]
"""Microseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Options:
    """The defaults are Dify's."""

    max_steps: int = 500
    """Node executions of a run, those in each round of its containers included, further attempts not."""
    max_run_s: int = 1200
    """Seconds from start to end of a run."""
    max_node_s: float = 1200.0
    """Of one attempt at a node that an executor works on, where the node says nothing."""
    node_queue_s: float = 300.0
    """How much longer the result of an attempt is waited for: its task may have to wait for an executor."""
    max_wait_s: int = 366 * 86_400
    """Of one wait node. Dify has none."""
    max_loop_rounds: int = 100
    """Of one loop."""
    max_depth: int = 5
    """Containers around a node."""
    max_hop_bytes: int = 128 * 1024 * 1024
    """Of all that the records and tasks of one hop say, after which the run fails: a loop may double a value
    in each round. Dify has none."""
    max_hop_work: int = 5 * MAX_STEPS
    """Steps of all templates, conditions, list operators and schemas of one hop, beside their own bounds:
    nothing else happens in the worker meanwhile. What needs more fails its node. Dify has none."""
    every_node_a_hop: bool = False
    """Send pure nodes to the executors, too."""
    clock: Clock | None = None
    """What the times of pure nodes are read from. None: all that happens in a hop happens at its `now_us`."""


DEFAULTS = Options()
