"""How much of what was compiled is kept, and what versions share."""

import pytest

from schemas.errors import InvalidDefinition
from schemas.models import Workflow, WorkflowType
from streams.library import Library
from tests.graphs import edge, node
from transport.definitions import Definitions


def workflow(name: str, desc: str | None = None) -> Workflow:
    """A copy has the `desc` of the one that it was made of."""
    data = {"variables": [], "desc": name if desc is None else desc}
    graph = {
        "nodes": [node("start", "start", **data), node("end", "end", outputs=[])],
        "edges": [edge("start", "end")],
    }
    return Workflow(id=name, app_id="a", type=WorkflowType.WORKFLOW, version="1", graph=graph)


def room_for(*workflows: Workflow) -> int:
    """What they weigh when all of them are compiled."""
    library = Library(Definitions())
    kept = [library.compiled(one) for one in workflows]
    assert len(kept) == len(workflows)
    return library.weight


def test_those_that_were_used_last_stay_compiled_up_to_so_many_bytes() -> None:
    one, two, three = (workflow(name) for name in ("one", "two", "six"))
    library = Library(Definitions(), room_for(one, two))
    first, second = library.compiled(one), library.compiled(two)
    assert library.compiled(one) is first
    del second
    library.compiled(three)
    assert library.compiled(one) is first, "used after the second"
    assert library.weight <= room_for(one, two), "the second is gone"


def test_copies_share_their_nodes_and_weigh_little() -> None:
    one, copy, other = workflow("one"), workflow("copy", "one"), workflow("other", "else")
    library = Library(Definitions())
    first, second, third = (library.compiled(each).root.plans for each in (one, copy, other))
    assert first == second, "the same objects: plans are equal to themselves alone"
    assert first[0] is not third[0]
    assert first[1] is third[1], "the end is the same"
    assert first[0].everywhere is third[0].everywhere, "of one shape"
    assert room_for(one, copy) - room_for(one) < room_for(one, other) - room_for(one)


def test_what_is_shared_goes_with_the_last_that_has_it() -> None:
    one, copy = workflow("one"), workflow("copy", "one")
    library = Library(Definitions(), most_bytes=0)
    library.compiled(one)
    library.compiled(copy)
    assert library.weight == room_for(one)
    library.compiled(workflow("two"))
    assert library.weight == room_for(workflow("two"))


def test_a_graph_that_comes_again_is_compiled_to_the_same() -> None:
    library = Library(Definitions(), most_bytes=0)
    one, two = workflow("one"), workflow("two")
    first = library.compiled(one)
    library.compiled(two)
    again = library.compiled(one)
    assert again is not first
    assert (again.root.edges, list(again.by_id)) == (first.root.edges, list(first.by_id))


def test_a_graph_is_refused_however_often_it_comes() -> None:
    library = Library(Definitions())
    wrong = workflow("one")
    wrong.graph["edges"].append(edge("end", "start"))
    for _ in range(2):
        with pytest.raises(InvalidDefinition, match="cycle"):
            library.compiled(wrong)


def test_the_version_in_use_stays_compiled_however_large() -> None:
    library = Library(Definitions(), most_bytes=1)
    one = workflow("one")
    assert library.compiled(one) is library.compiled(one)


def test_drafts_that_runs_are_pinned_to_stay_open_up_to_so_many_bytes() -> None:
    """Each run of a draft may have another one, of any size."""
    library = Library(Definitions())
    drafts = [workflow(name, name + "x" * 1_000_000).body() for name in map(str, range(10))]
    opened = [library.pinned(draft, lambda: b"") for draft in drafts]
    assert library.pinned(drafts[-1], lambda: b"") is opened[-1]
    assert library.pinned(drafts[0], lambda: b"") is not opened[0], "it was closed for the others"
