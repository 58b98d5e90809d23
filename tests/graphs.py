"""Graphs for tests, as Dify writes them but without what only the canvas needs."""

from typing import Any

Json = dict[str, Any]


def node(node_id: str, kind: str, **data: Any) -> Json:
    """A node whose title is its id in capitals."""
    return {"id": node_id, "type": "custom", "data": {"type": kind, "title": node_id.upper(), **data}}


def edge(source: str, target: str, handle: str = "source") -> Json:
    """An edge."""
    return {"source": source, "target": target, "sourceHandle": handle}


def graph(nodes: list[Json], *edges: tuple[str, ...]) -> Json:
    """The nodes, with an edge for each (source, target) or (source, target, handle)."""
    return {"nodes": nodes, "edges": [edge(*ends) for ends in edges]}


def field(name: str, kind: str = "text-input", **more: Any) -> Json:
    """A variable of a start node."""
    return {"variable": name, "label": name, "type": kind, **more}


def start(*fields: Json) -> Json:
    """The node `start`."""
    return node("start", "start", variables=list(fields))


def template(node_id: str, text: str, /, **variables: list[str]) -> Json:
    """A template-transform node."""
    return node(node_id, "template-transform", template=text, variables=named(variables))


def code(node_id: str, /, **variables: list[str]) -> Json:
    """A code node, which is a task to the engine. Its output is `result`."""
    arguments = ", ".join(variables)
    return node(
        node_id,
        "code",
        code=f"def main({arguments}):\n    return {{'result': 'x'}}",
        code_language="python3",
        variables=named(variables),
        outputs={"result": {"type": "string", "children": None}},
    )


def if_else(node_id: str, *cases: Json) -> Json:
    """An if-else node."""
    return node(node_id, "if-else", cases=list(cases))


def case(case_id: str, *conditions: Json, logical: str = "and") -> Json:
    """One case of it."""
    return {
        "case_id": case_id,
        "id": case_id,
        "logical_operator": logical,
        "conditions": list(conditions),
    }


def condition(selector: list[str], operator: str, value: Any = None, **more: Any) -> Json:
    """One condition of it."""
    return {"variable_selector": selector, "comparison_operator": operator, "value": value, **more}


def iteration(node_id: str, items: list[str], output: list[str], *inside: Json, **data: Any) -> list[Json]:
    """An iteration node and what is inside; the node `<node_id>start` begins a round."""
    begin = node(f"{node_id}start", "iteration-start")
    own = node(
        node_id,
        "iteration",
        **{"start_node_id": begin["id"], "iterator_selector": items, "output_selector": output, **data},
    )
    return [own, *within(own, begin, *inside)]


def loop(node_id: str, count: int, *inside: Json, **data: Any) -> list[Json]:
    """A loop node and what is inside; the node `<node_id>start` begins a round."""
    begin = node(f"{node_id}start", "loop-start")
    more = {"break_conditions": [], "logical_operator": "and", "loop_variables": [], **data}
    own = node(node_id, "loop", start_node_id=begin["id"], loop_count=count, **more)
    return [own, *within(own, begin, *inside)]


def within(container: Json, *inside: Json) -> list[Json]:
    """The nodes, inside the container unless they are inside another one already."""
    return [{"parentId": container["id"], **one} for one in inside]


def loop_variable(label: str, kind: str, value: Any) -> Json:
    """One of a loop; a list is the selector of what it begins with."""
    value_type = "variable" if isinstance(value, list) else "constant"
    return {"label": label, "var_type": kind, "value_type": value_type, "value": value}


def end(node_id: str = "end", /, **outputs: list[str]) -> Json:
    """An end node."""
    return node(node_id, "end", outputs=named(outputs))


def answer(node_id: str, text: str) -> Json:
    """An answer node."""
    return node(node_id, "answer", answer=text)


def named(selectors: dict[str, list[str]]) -> list[Json]:
    """Variables with their selectors."""
    return [{"variable": name, "value_selector": selector} for name, selector in selectors.items()]


def dsl(graph_json: Json, mode: str = "workflow", **workflow: Any) -> Json:
    """A DSL document around a graph."""
    return {
        "app": {"name": "An app", "mode": mode, "description": "What it does"},
        "kind": "app",
        "version": "0.3.0",
        "workflow": {"graph": graph_json, "features": {}, **workflow},
    }
