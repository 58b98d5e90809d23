"""The types that a workflow declares for variables, made known to the nodes that write them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from schemas.graph import Graph, GraphNode
from schemas.nodes import parse_node_data
from schemas.nodes.assigner import AssignerData

_ASSIGNER = "assigner"

_Types = Mapping[str, str]
"""Dotted selector -> type."""


def declare(graph: Graph, conversation_variables: Sequence[Mapping[str, Any]]) -> Graph:
    """The graph with every assigner knowing the types of its targets.

    They are in its data as parsed, and as sent to executors. Those of conversation variables and of the
    variables of loops are declared; other variables have the types of their values.
    """
    if not any(node.type == _ASSIGNER for node in graph.nodes.values()):
        return graph
    types = dict(_of_conversation(conversation_variables))
    types.update(_of_loops(graph))
    return replace(graph, nodes={node_id: _typed(node, types) for node_id, node in graph.nodes.items()})


def _typed(node: GraphNode, types: _Types) -> GraphNode:
    if node.type != _ASSIGNER:
        return node
    data = node.data or parse_node_data(node.raw)
    assert isinstance(data, AssignerData), "as its type says"
    targets = {".".join(selector) for _, selector in data.targets()}
    known = {target: types[target] for target in targets if target in types}
    typed = data.model_copy(update={"target_types": known})
    return replace(node, data=typed, raw={**node.raw, "target_types": known})


def _of_conversation(variables: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for variable in variables:
        if "value_type" in variable:
            yield f"conversation.{variable['name']}", str(variable["value_type"])


def _of_loops(graph: Graph) -> Iterator[tuple[str, str]]:
    for node in graph.nodes.values():
        if node.type == "loop":
            for variable in node.raw.get("loop_variables") or ():
                yield f"{node.id}.{variable['label']}", str(variable["var_type"])
