"""Hand-written graphs on both engines: the same status, outputs, nodes with what went in and out, order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import InvalidDefinition
from streams.engine.options import Options
from tests.differential.cases import (
    changes,
    choices,
    conditions,
    containers,
    documents,
    files,
    lists,
    models,
    people,
    requests,
    scripts,
    structure,
    texts,
    tools,
)
from tests.differential.cases.meant import DIFFERENCES, REFUSED, Difference
from tests.differential.compare import differences, order_differences
from tests.differential.hopline_process import Hopline
from tests.differential.job import Job
from tests.differential.peer_process import Peer

MODULES = (
    *(conditions, texts, scripts, structure, containers, changes, lists, models, choices, requests, tools),
    *(documents, files, people),
)

ONE_BY_ONE = Options(every_node_a_hop=True)
"""As graphon's one worker does: no node overtakes another."""

_CHAIN = 2
"""Edges of most graphs here, which are a start, one node and an end: there is one order only."""

DOCS = Path(__file__).parents[2] / "docs/compatibility.md"


def _cases() -> Iterator[object]:
    for module in MODULES:
        name = module.__name__.rpartition(".")[2]
        for title, job in module.CASES.items():
            yield pytest.param(job, id=f"{name}: {title}")


def _found(job: Job, peer: Peer, hopline: Hopline) -> list[str]:
    job = hopline.placed(job)
    expected = peer.run(job)
    found = differences(expected, hopline.run(job))
    if len(job.graph["edges"]) > _CHAIN:
        found += order_differences(expected, hopline.run(job, ONE_BY_ONE))
    return found


@pytest.mark.parametrize("job", list(_cases()))
def test_same_as_graphon(job: Job, peer: Peer, hopline: Hopline) -> None:
    found = _found(job, peer, hopline)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=list(DIFFERENCES))
def test_differs_where_it_is_meant(difference: Difference, peer: Peer, hopline: Hopline) -> None:
    try:
        found = {one.partition(": ")[0] for one in _found(difference.job, peer, hopline)}
    except InvalidDefinition:
        found = {REFUSED}
    assert found == difference.facts


@pytest.mark.parametrize("name", list(DIFFERENCES))
def test_every_difference_has_its_reason(name: str) -> None:
    assert f"**{name[0].upper()}{name[1:]}.**" in DOCS.read_text()
