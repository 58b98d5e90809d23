"""The types that a workflow declares for variables, made known to the nodes that write them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from schemas.graph import Graph, GraphNode
from schemas.nodes.assigner import AssignerData

Types = Mapping[str, str]
"""Dotted selector -> type."""


def declared_types(graph: Graph, conversation_variables: Sequence[Mapping[str, Any]]) -> Types:
    """Of conversation variables and of the variables of loops."""
    types = {
        f"conversation.{v['name']}": str(v["value_type"]) for v in conversation_variables if "value_type" in v
    }
    types.update(_of_loops(graph))
    return types


def with_types(node: GraphNode, types: Types) -> GraphNode:
    """An assigner with the types of its targets, in its data as parsed and as sent to executors."""
    if not isinstance(node.data, AssignerData):
        return node
    targets = {".".join(selector) for _, selector in node.data.targets()}
    known = {target: types[target] for target in targets if target in types}
    data = node.data.model_copy(update={"target_types": known})
    return replace(node, data=data, raw={**node.raw, "target_types": known})


def _of_loops(graph: Graph) -> Iterator[tuple[str, str]]:
    for node in graph.nodes.values():
        if node.type == "loop":
            for variable in node.raw.get("loop_variables") or ():
                yield f"{node.id}.{variable['label']}", str(variable["var_type"])
