"""A document on its whole way, in a system that runs: added, searched, found by a node."""

import json
from collections.abc import Callable
from pathlib import Path

GRAPH = {
    "nodes": [
        {
            "id": "start",
            "data": {
                "type": "start",
                "title": "Start",
                "variables": [{"variable": "q", "label": "Q", "type": "text-input", "required": True}],
            },
        },
        {
            "id": "look",
            "data": {
                "type": "knowledge-retrieval",
                "title": "Look",
                "query_variable_selector": ["start", "q"],
                "dataset_ids": ["c9f1b2"],
                "retrieval_mode": "multiple",
                "multiple_retrieval_config": {"top_k": 1, "reranking_enable": False},
            },
        },
        {
            "id": "end",
            "data": {
                "type": "end",
                "title": "End",
                "outputs": [{"variable": "found", "value_selector": ["look", "result"]}],
            },
        },
    ],
    "edges": [
        {"id": "a", "source": "start", "target": "look", "sourceHandle": "source"},
        {"id": "b", "source": "look", "target": "end", "sourceHandle": "source"},
    ],
}


def a_document_is_found_by_a_node(hopline: Callable[..., str], folder: Path) -> None:
    """`hopline` runs a command and gives its output."""
    document, graph = folder / "days.csv", folder / "ask.json"
    document.write_text("what,days\nholidays,30\n\nillness,3\n")
    graph.write_text(json.dumps(GRAPH))
    hopline("dataset", "create", "handbook", "--alias", "c9f1b2")
    (added,) = json.loads(hopline("dataset", "add", "handbook", str(document), "--json"))
    assert (added["status"], added["chunk_count"]) == ("COMPLETED", 1)
    (found,) = json.loads(hopline("dataset", "search", "handbook", "holidays", "--json"))
    assert found["content"].startswith("| what | days |\n| ---- | ---- |\n| holidays | 30 |")
    hopline("workflow", "import", str(graph), "--app", "ask", "--publish")
    run = json.loads(hopline("run", "start", "ask", "--input", "q=How many holidays?", "--wait", "--json"))
    (item,) = run["outputs"]["found"]
    assert item["content"] == found["content"]
    assert item["title"] == "days.csv"
    assert item["metadata"]["dataset_name"] == "handbook"
