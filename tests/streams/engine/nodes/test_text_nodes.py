"""template-transform, answer and end."""

import pytest

from schemas.files import FILE_IDENTITY
from schemas.nodes.answer import AnswerData
from schemas.nodes.end import EndData
from schemas.nodes.template_transform import TemplateTransformData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.answer import compile_answer
from streams.engine.nodes.end import compile_end
from streams.engine.nodes.protocol import Outcome
from streams.engine.nodes.template_transform import compile_template_transform
from tests.graphs import answer, end, template

FILE = {"dify_model_identity": FILE_IDENTITY, "type": "image", "filename": "a.png", "url": "http://x/a"}
POOL = {"n": {"a": "A", "list": ["x", "y"], "o": {"k": 1}, "f": FILE, "fs": [FILE, FILE], "none": None}}


def transform(text: str, **variables: list[str]) -> Outcome:
    data = TemplateTransformData.model_validate(template("t", text, **variables)["data"])
    return compile_template_transform(data).run(POOL)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("{{ a }}!", "A!"),
        ("{{ none }}|{{ gone }}|{{ unnamed }}", "None|None|"),
        ("{% for x in list %}{{ loop.index }}{{ x }} {% endfor %}", "1x 2y "),
        ("{{ o.k + 1 }} {{ o['k'] }} {{ list|join('-') }}", "2 1 x-y"),
        ("{% set _ = list.append('z') %}{{ list|length }}", "3"),
        ("{% if a == 'A' %}yes{% else %}no{% endif %}", "yes"),
        ("{{ list|tojson }} {{ '<' }}", '["x", "y"] <'),
        ("line\n", "line"),
    ],
)
def test_template(text: str, output: str) -> None:
    variables = {name: ["n", name] for name in ("a", "list", "o", "none", "gone")}
    outcome = transform(text, **variables)
    assert outcome.outputs == {"output": output}
    assert outcome.inputs["list"] == ["x", "y"]
    assert outcome.inputs["gone"] is None


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("{{ 1 / 0 }}", "TemplateError", "ZeroDivisionError: division by zero"),
        ("{{ a.x.y }}", "TemplateError", "UndefinedError"),
        ("{{ ''.__class__ }}{{ ''.__class__.__mro__ }}", "TemplateError", "SecurityError"),
        ("{{ 'x' * 500000 }}", "TemplateLimit", "more than 400000"),
    ],
)
def test_template_failure(text: str, kind: str, why: str) -> None:
    with pytest.raises(NodeFailure, match=why) as failure:
        transform(text, a=["n", "a"])
    assert (failure.value.error_type, failure.value.inputs) == (kind, {"a": "A"})


def test_answer_is_markdown_with_the_files_in_it() -> None:
    text = "{{#n.a#}}\n{{#n.list#}}\n{{#n.f#}}{{#n.none#}}{{#n.fs#}}{{#n.gone#}}"
    outcome = compile_answer(AnswerData.model_validate(answer("a", text)["data"])).run(POOL)
    image = "![a.png](http://x/a)"
    assert outcome.outputs == {"answer": f"A\n- x\n- y\n{image}{image}\n{image}n.gone", "files": [FILE] * 3}


def test_end_has_what_it_names() -> None:
    outputs = {"a": ["n", "a"], "k": ["n", "o", "k"], "gone": ["gone", "x"], "empty": []}
    outcome = compile_end(EndData.model_validate(end(**outputs)["data"])).run(POOL)
    assert outcome.outputs == outcome.inputs == {"a": "A", "k": 1, "gone": None, "empty": None}
