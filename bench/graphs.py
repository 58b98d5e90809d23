"""Pieces of the graphs that the engine is measured with."""

from typing import Any


def node(node_id: str, kind: str, **data: Any) -> dict[str, Any]:
    """A node whose title is its id."""
    return {"id": node_id, "type": "custom", "data": {"type": kind, "title": node_id, **data}}


def edge(source: str, target: str, handle: str = "source") -> dict[str, Any]:
    """An edge."""
    return {"source": source, "target": target, "sourceHandle": handle}
