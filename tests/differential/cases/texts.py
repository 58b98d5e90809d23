"""template-transform, answer, variable-aggregator and end: how values become text, and which one is taken."""

from typing import Any

from schemas.models import WorkflowType
from tests.differential.cases.build import form, probe, selector, variables
from tests.differential.job import Job
from tests.graphs import answer, case, condition, end, graph, if_else, node, template

_VALUES: dict[str, Any] = {
    "text": "a b", "empty": "", "whole": 7, "negative": -3, "fraction": 1.5, "round fraction": 2.0,
    "big": 10**15, "exponent": 1e21, "yes": True, "no": False, "object": {"a": 1, "b": [1, "x"], "c": None},
    "texts": ["a", "b"], "numbers": [1, 2.5], "objects": [{"a": 1}, {"b": "ü"}], "nothing": [],
    "mixed": [1, "a", None], "nested": [[1], [2]], "flags": [True, False], "line\nbreak": "x\ny",
    "quotes": "\"'", "unicode": "日本 €",
}  # fmt: skip

_TEMPLATES = (
    "{{ v }}",
    "{{ v | tojson }}",
    "{{ v | length }}",
    "{{ v.a }}",
    "{{ v[0] }}",
    "{% for x in v %}{{ x }},{% endfor %}",
    "{{ v | upper }}",
    "{{ missing }}",
    "{{ missing.deep }}",
    "{{ v + 1 }}",
    "{% if v %}yes{% else %}no{% endif %}",
    "{{ v | default('d') }}",
    "{{ v | join('-') }}",
    "plain",
    "",
    "{{ v ~ '!' }}",
    "{{ v is string }}",
)


def _template(text: str, value: Any) -> Job:
    data = {"template": text, "variables": variables(v=selector({"v": value}, "v"))}
    return probe("template-transform", ["output"], data, v=value)


def _answer(text: str, **inputs: Any) -> Job:
    lists = [{"name": name, "value": value} for name, value in inputs.items() if isinstance(value, list)]
    made = graph([form(**inputs), answer("a", text)], ("start", "a"))
    plain = {name: value for name, value in inputs.items() if not isinstance(value, list)}
    return Job(made, plain, type=WorkflowType.CHAT, query="hello", environment=lists)


def _two_answers(yes: str) -> Job:
    nodes = [
        form(yes=yes), if_else("c", case("y", condition(["start", "yes"], "is", "y"))),
        template("t", "x"), answer("a", "first {{#t.output#}}"), answer("b", "second {{#sys.query#}}"),
        answer("z", "last {{#t.output#}}"),
    ]  # fmt: skip
    edges = (("start", "c"), ("c", "t", "y"), ("c", "b", "false"), ("t", "a"), ("a", "z"))
    return Job(graph(nodes, *edges), {"yes": yes}, type=WorkflowType.CHAT, query="q")


def _parallel_answers() -> Job:
    """The order of the text is that of the graph, whichever branch is done first."""
    nodes = [form(), answer("a", "A"), answer("b", "B"), template("t", "x"), answer("c", "C{{#t.output#}}")]
    edges = (("start", "a"), ("start", "b"), ("start", "t"), ("t", "c"))
    return Job(graph(nodes, *edges), type=WorkflowType.CHAT, query="q")


def _two_ends() -> Job:
    nodes = [form(), template("t", "x"), template("u", "y"), end("e1", x=["t", "output"], z=["t", "output"]),
             end("e2", y=["u", "output"], z=["u", "output"])]  # fmt: skip
    edges = (("start", "t"), ("start", "u"), ("t", "e1"), ("u", "e2"))
    return Job(graph(nodes, *edges))


def _aggregator(taken: str, groups: bool) -> Job:
    paths = [["a", "output"], ["b", "output"]]
    data: dict[str, Any] = {"output_type": "string", "variables": paths}
    shown = ["output"]
    if groups:
        settings = [
            {"groupId": "1", "group_name": "one", "output_type": "string", "variables": paths},
            {"groupId": "2", "group_name": "two", "output_type": "string", "variables": paths[::-1]},
            {"groupId": "3", "group_name": "none", "output_type": "string", "variables": [["x", "output"]]},
        ]
        data |= {"advanced_settings": {"group_enabled": True, "groups": settings}}
        shown = ["one.output", "two.output", "two", "none.output"]
    nodes = [
        form(w=taken), if_else("c", case("a", condition(["start", "w"], "contains", "a"))),
        if_else("d", case("b", condition(["start", "w"], "contains", "b"))),
        template("a", "A"), template("b", "B"), template("x", "X"), node("n", "variable-aggregator", **data),
        end(**{name.replace(".", "_"): ["n", *name.split(".")] for name in shown}),
    ]  # fmt: skip
    edges = (("start", "c"), ("start", "d"), ("c", "a", "a"), ("d", "b", "b"), ("a", "n"), ("b", "n"),
             ("c", "x", "never"), ("n", "end"))  # fmt: skip
    return Job(graph(nodes, *[edge for edge in edges if edge[-1] != "never"]), {"w": taken})


CASES: dict[str, Job] = {
    **{
        f"{text!r} of {name}": _template(text, value)
        for name, value in _VALUES.items()
        for text in _TEMPLATES[: 1 if name in ("unicode", "quotes") else None]
    },
    **{
        f"answer with {name}": _answer(
            "<{{#start.v#}}>" if not isinstance(value, list) else "<{{#env.v#}}>", v=value
        )
        for name, value in _VALUES.items()
    },
    "answer with what is not there": _answer("a {{#start.nothing#}} b {{#sys.query#}} c {{ v }} {{#bad}}"),
    "answer with a member": _answer(
        "{{#start.v.a#}} {{#start.v.b#}} {{#start.v.x#}}", v={"a": 1, "b": {"c": 2}}
    ),
    "two answers, one branch": _two_answers("y"),
    "two answers, the other branch": _two_answers("n"),
    "parallel answers": _parallel_answers(),
    "two ends": _two_ends(),
    **{
        f"aggregator{' with groups' if groups else ''}, {taken}": _aggregator(taken, groups)
        for groups in (False, True)
        for taken in ("a", "b", "ab", "")
    },
    "a selector of an end that leads nowhere": probe(
        "template-transform", ["output", "output.x", "y"], {"template": "t", "variables": []}
    ),
    "members of an object": Job(
        graph(
            [
                form(v={"a": {"b": [1, 2]}}),
                end(a=["start", "v", "a"], b=["start", "v", "a", "b"], c=["start", "v", "x"]),
            ],
            ("start", "end"),
        ),
        {"v": {"a": {"b": [1, 2]}}},
    ),
}
