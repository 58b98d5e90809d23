"""Graphs of the corpus: most are a start, the node in question and an end that shows all of its outputs."""

from typing import Any

from tests.differential.job import Job
from tests.graphs import Json, end, field, graph, node, start

TYPES = {str: "text-input", int: "number", float: "number", bool: "checkbox", dict: "json_object"}


def form(**inputs: Any) -> Json:
    """A start node with a field for each input that has a type of the form; lists come by `env`."""
    return start(*(field(name, TYPES[type(value)]) for name, value in inputs.items() if type(value) in TYPES))


def probe(
    kind: str, shown: list[str], data: Json, /, handles: tuple[str, ...] = ("source",), **inputs: Any
) -> Job:
    """start -> n (the node in question) -> end, by each of the handles. Lists, which no form has, are
    environment variables."""
    outputs = {name.replace(".", "_"): ["n", *name.split(".")] for name in shown}
    edges = (("start", "n"), *(("n", "end", handle) for handle in handles))
    made = graph([form(**inputs), node("n", kind, **data), end(**outputs)], *edges)
    lists = [{"name": name, "value": value} for name, value in inputs.items() if isinstance(value, list)]
    plain = {name: value for name, value in inputs.items() if not isinstance(value, list)}
    return Job(made, plain, environment=lists)


def selector(inputs: Json, name: str) -> list[str]:
    """Where `probe` puts an input."""
    return ["env" if isinstance(inputs[name], list) else "start", name]


def variables(**selectors: list[str]) -> list[Json]:
    """What the variables of a code, template or end node are."""
    return [{"variable": name, "value_selector": path} for name, path in selectors.items()]
