"""Hand-written graphs on both engines: the same status, outputs, nodes with what went in and out, order."""

from collections.abc import Iterator

import pytest

from streams.engine.options import Options
from tests.differential.cases import (
    changes,
    conditions,
    containers,
    lists,
    models,
    requests,
    scripts,
    structure,
    texts,
)
from tests.differential.compare import differences, order_differences
from tests.differential.hopline_process import Hopline
from tests.differential.job import Job
from tests.differential.peer_process import Peer

MODULES = (conditions, texts, scripts, structure, containers, changes, lists, models, requests)

ONE_BY_ONE = Options(every_node_a_hop=True)
"""As graphon's one worker does: no node overtakes another."""


def _cases() -> Iterator[object]:
    for module in MODULES:
        name = module.__name__.rpartition(".")[2]
        for title, job in module.CASES.items():
            yield pytest.param(job, id=f"{name}: {title}")


@pytest.mark.parametrize("job", list(_cases()))
def test_same_as_graphon(job: Job, peer: Peer, hopline: Hopline) -> None:
    job = hopline.placed(job)
    expected = peer.run(job)
    found = differences(expected, hopline.run(job))
    found += order_differences(expected, hopline.run(job, ONE_BY_ONE))
    assert not found, "\n".join(found)
