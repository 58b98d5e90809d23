"""A graph that was found good is read again without looking at its data."""

from dataclasses import replace

from schemas.graph import outline, read_graph
from tests.graphs import edge, node

GRAPH = {
    "nodes": [
        node("start", "start", variables=[]),
        {"id": "note", "type": "custom-note", "data": {}},
        node("loop", "iteration", start_node_id="in", iterator_selector=["start", "a"]),
        {**node("in", "iteration-start"), "parentId": "loop"},
        node("if", "if-else", cases=[]),
    ],
    "edges": [edge("start", "loop"), {"source": "if", "target": "loop", "sourceHandle": "false"}],
}


def test_an_outline_has_all_but_the_data() -> None:
    read, outlined = read_graph(GRAPH), outline(GRAPH)
    assert outlined.edges == read.edges
    assert outlined.nodes == {name: replace(found, data=None) for name, found in read.nodes.items()}
    assert outlined.nodes["in"].owner == "loop"
