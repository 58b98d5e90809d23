"""How much of what was compiled is kept."""

from schemas.models import Workflow, WorkflowType
from streams.library import Library
from tests.graphs import edge, node
from transport.definitions import Definitions


def workflow(name: str) -> Workflow:
    graph = {
        "nodes": [node("start", "start", variables=[]), node("end", "end", outputs=[])],
        "edges": [edge("start", "end")],
    }
    return Workflow(id=name, app_id="a", type=WorkflowType.WORKFLOW, version="1", graph=graph)


def test_those_that_were_used_last_stay_compiled_up_to_so_many_nodes() -> None:
    library = Library(Definitions(), most_nodes=4)
    one, two, three = (workflow(name) for name in ("one", "two", "three"))
    first, second = library.compiled(one), library.compiled(two)
    assert library.compiled(one) is first
    library.compiled(three)
    assert library.compiled(one) is first, "used after the second"
    assert library.compiled(two) is not second


def test_the_version_in_use_stays_compiled_however_large() -> None:
    library = Library(Definitions(), most_nodes=1)
    one = workflow("one")
    assert library.compiled(one) is library.compiled(one)
