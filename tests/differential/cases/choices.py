"""question-classifier and parameter-extractor: what becomes of a model's reply.

They ask in words of their own, which are not compared.
"""

import json
from typing import Any

from tests.differential.cases.build import form
from tests.differential.compare import OWN_WORDING
from tests.differential.job import Job
from tests.graphs import Json, end, graph, node, template

_NODE: Json = {
    "model": {"provider": "p", "name": OWN_WORDING, "mode": "chat", "completion_params": {}},
    "instruction": "do {{#start.q#}}",
    "vision": {"enabled": False},
}


def classifier(reply: str, **data: Any) -> Job:
    """Class 1 leads to `a`, class 2 to `b`."""
    classes = [
        {"id": "1", "name": "Questions of {{#start.q#}}"},
        {"id": "2", "name": "Complaints", "label": "Bad"},
    ]
    asking = {**_NODE, "classes": classes, "query_variable_selector": ["start", "q"], **data}
    shown = ("class_name", "class_id", "class_label")
    nodes = [
        form(q="It is broken"),
        node("n", "question-classifier", **asking),
        template("a", "q"),
        template("b", "c"),
        end(a=["a", "output"], b=["b", "output"], **{name: ["n", name] for name in shown}),
    ]
    edges = (("start", "n"), ("n", "a", "1"), ("n", "b", "2"), ("a", "end"), ("b", "end"))
    return Job(graph(nodes, *edges), {"q": "It is broken"}, models={OWN_WORDING: {"text": reply}})


_PARAMETERS: list[Json] = [
    {"name": "city", "type": "string", "required": True, "description": "a city"},
    {"name": "days", "type": "number", "required": False, "description": "how many"},
    {"name": "tags", "type": "array[string]", "required": False, "description": "words"},
    {"name": "sure", "type": "bool", "required": False, "description": ""},
    {"name": "size", "type": "select", "options": ["S", "L"], "required": False, "description": ""},
]
_GOOD: Json = {"city": "Rome", "days": 2, "tags": ["a"], "sure": True, "size": "L"}


def extractor(reply: str, calls: list[Json] | None = None, mode: str = "prompt", **data: Any) -> Job:
    """Shows all parameters. With `calls` the model is one that calls functions."""
    asking = {**_NODE, "query": ["start", "q"], "parameters": _PARAMETERS, "reasoning_mode": mode, **data}
    shown = (*_GOOD, "__is_success", "__reason")
    nodes = [
        form(q="2 days in Rome"),
        node("n", "parameter-extractor", **asking),
        end(**{name: ["n", name] for name in shown}),
    ]
    said: Json = {"text": reply} | ({} if calls is None else {"tool_calls": calls})
    job = graph(nodes, ("start", "n"), ("n", "end"))
    return Job(job, {"q": "2 days in Rome"}, models={OWN_WORDING: said})


def extracted(**values: Any) -> str:
    return json.dumps({**_GOOD, **values})


_CLASSIFIED = (
    '{"category_id": "2", "category_name": "Complaints"}',
    '```json\n{"category_id": "1", "category_name": "Questions"}\n```',
    'I say {"category_id": "1", "category_name": "?"} to that',
    '<think>{"category_id": "1", "category_name": "x"}</think>{"category_id": "2", "category_name": "x"}',
    '[{"category_id": "2", "category_name": "x"}]',
    '{"category_id": "9", "category_name": "?"}',
    '{"x": 1}',
    "no JSON at all",
    "",
)  # fmt: skip

_EXTRACTED = (
    json.dumps(_GOOD),
    f"Sure: {json.dumps(_GOOD)} there you are",
    '{"city": "Rome"}',
    '{"days": 2}',
    "{}",
    "[1]",
    "nothing",
    "",
    extracted(city=5),
    extracted(city=None),
    extracted(days="2"),
    extracted(days="2.5"),
    extracted(days="x"),
    extracted(days=2.5),
    extracted(days=True),
    extracted(days=None),
    extracted(tags="a"),
    extracted(tags=["a", 1]),
    extracted(tags=[]),
    extracted(sure=1),
    extracted(sure="true"),
    extracted(sure=False),
    extracted(size="XL"),
    extracted(size=3),
    extracted(more=1),
)

CASES: dict[str, Job] = {
    **{f"classified by {reply!r}": classifier(reply) for reply in _CLASSIFIED},
    **{f"extracted from {reply!r}": extractor(reply) for reply in _EXTRACTED},
    "a function call": extractor("", [{"name": "extract_parameters", "arguments": _GOOD}], "function_call"),
    "text in place of a function call": extractor(f"x {json.dumps(_GOOD)}", mode="function_call"),
}
