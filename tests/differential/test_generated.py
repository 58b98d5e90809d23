"""Combinations that a generator makes, on both engines. `make differential` runs many more of them."""

import os

from hypothesis import HealthCheck, given, settings

from tests.differential.compare import differences, order_differences, steady_groups
from tests.differential.generator import jobs
from tests.differential.hopline_process import Hopline
from tests.differential.job import Job
from tests.differential.peer_process import Peer
from tests.differential.test_corpus import ONE_BY_ONE

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "0"))
"""0: a few, always the same ones, so that a change is judged by what it changes."""


@settings(
    max_examples=EXAMPLES or 40,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(job=jobs())
def test_same_as_graphon(job: Job, peer: Peer, hopline: Hopline) -> None:
    job = hopline.placed(job)
    expected = peer.run(job)
    found = differences(expected, hopline.run(job))
    found += order_differences(expected, hopline.run(job, ONE_BY_ONE), steady_groups(job.graph))
    assert not found, "\n".join(found)
