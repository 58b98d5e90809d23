"""human-input: a run waits, and goes on by the branch of the answer."""

from typing import Any

from tests.differential.cases.build import form
from tests.differential.job import Job
from tests.graphs import Json, end, graph, node, template

_ACTIONS = [{"id": "yes", "title": "Yes", "button_style": "primary"}, {"id": "no", "title": "No"}]
_FIELD: Json = {"type": "paragraph", "output_variable_name": "why", "required": False}


def _ask(node_id: str, **data: Any) -> Json:
    whole = {"form_content": "Shall we?", "inputs": [_FIELD], "user_actions": _ACTIONS, "timeout": 1, **data}
    return node(node_id, "human-input", **whole)


def _job(answer: Json | None) -> Job:
    """By its branch, `a`, `b` or `late` follow; `beside` does not wait."""
    nodes = [
        form(), _ask("h"), template("a", "did {{ w }}", w=["h", "why"]), template("b", "did not"),
        template("late", "too late"), template("beside", "b"),
        end(a=["a", "output"], b=["b", "output"], late=["late", "output"], beside=["beside", "output"],
            action=["h", "__action_id"], title=["h", "__action_value"], why=["h", "why"]),
    ]  # fmt: skip
    edges = (
        ("start", "h"), ("start", "beside"), ("beside", "end"), ("h", "a", "yes"), ("h", "b", "no"),
        ("h", "late", "__timeout"), ("a", "end"), ("b", "end"), ("late", "end"),
    )  # fmt: skip
    return Job(graph(nodes, *edges), answers={} if answer is None else {"h": answer})


def _one_after_another(second: str) -> Job:
    nodes = [
        form(),
        _ask("h1"),
        _ask("h2"),
        template("t", "{{ x }}", x=["h2", "why"]),
        end(x=["t", "output"]),
    ]
    edges = (("start", "h1"), ("h1", "h2", "yes"), ("h1", "end", "no"), ("h2", "t", "yes"), ("t", "end"))
    answers = {
        "h1": {"action": "yes", "inputs": {"why": ""}},
        "h2": {"action": second, "inputs": {"why": "2"}},
    }
    return Job(graph(nodes, *edges), answers=answers)


CASES: dict[str, Job] = {
    "nobody has answered": _job(None),
    "yes": _job({"action": "yes", "inputs": {"why": "so"}}),
    "no": _job({"action": "no", "inputs": {"why": ""}}),
    "nobody answers in time": _job({}),
    "one after another, yes": _one_after_another("yes"),
    "one after another, no": _one_after_another("no"),
}
