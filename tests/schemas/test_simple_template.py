"""What is written without Jinja2 is what Jinja2 would write."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.jinja import syntax_error
from schemas.simple_template import read_simple
from schemas.template import _compiled, compile_template
from schemas.work_budget import MAX_STEPS

VALUES: dict[str, Any] = {
    "a": "x",
    "n": None,
    "o": {"k": 1, "items": 2, "deep": {"k": [1, "é"]}},
    "l": ["x", {"y": 1.5}],
    "f": 0.1,
    "b": True,
}
PIECES = (
    "text", "\n", "\r\n", "\r", " ", "{", "}", "{{", "}}", "{%", "{#", "#}", "{{ a }}", "{{a}}", "{{ o.k }}",
    "{{\n n }}", "{{ l }}", "{{ f }}{{ b }}", "{{ missing }}", "{{ missing.a }}", "{{ o.deep.k }}",
    "{{ o.items }}", "{{ o.__class__ }}", "{{ a.format }}", "{{ range }}", "{{ true }}", "{{ none }}",
    "{{ self }}", "{{- a }}", "{{ a|upper }}", "{{ é }}", "%}",
)  # fmt: skip


def outcome(source: str, simple: bool) -> tuple[str, str]:
    try:
        render = compile_template(source) if simple else _compiled(source, MAX_STEPS)
        return "written", render(VALUES)
    except Exception as failed:
        return type(failed).__name__, str(failed)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_as_jinja(source: str) -> None:
    if read_simple(source) is None:
        return
    written, expected = outcome(source, True), outcome(source, False)
    # Of an object without a form of its own Python writes the address, which differs.
    assert written == expected or " at 0x" in written[1]
    assert syntax_error(source) is None


@pytest.mark.parametrize(
    "source",
    [
        "{{{ a }}",
        "{{ a }} {# #}",
        "{{ a }}{% if a %}",
        "{{ range }}",
        "{{ true }}",
        "{{- a }}",
        "{{ a[0] }}",
        "{{",
    ],
)
def test_the_rest_is_for_jinja(source: str) -> None:
    assert read_simple(source) is None


def test_parts() -> None:
    assert read_simple("Order {{ o.id }} of\r\n{{ who }}{{ x }}!\n") == (
        "Order ", ("o", "id"), " of\n", ("who",), ("x",), "!",
    )  # fmt: skip
