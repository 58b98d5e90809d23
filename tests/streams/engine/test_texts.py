"""`{{#node.name#}}` is filled in; all else stays as it stands."""

import pytest

from streams.engine.errors import NodeFailure
from streams.engine.texts import compile_text, compile_values

POOL = {"1": {"a": "A", "o": {"k": {"l": 5}}, "none": None}, "sys": {"query": "q"}, "env": {"KEY": "secret"}}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("", ""),
        ("plain {{ a }} {#1.a#}", "plain {{ a }} {#1.a#}"),
        ("{{#1.a#}}", "A"),
        ("<{{#1.a#}}|{{#1.a#}}>", "<A|A>"),
        ("{{#1.o.k.l#}} {{#1.o.k#}}", '5 {"l": 5}'),
        ("{{#sys.query#}}{{#env.KEY#}}", "qsecret"),
        ("[{{#1.none#}}]", "[]"),
        ("{{#1.gone#}} {{#2.a#}} {{#1.a.b#}}", "1.gone 2.a 1.a.b"),
        ("{{# 1.a #}} {{#1#}} {{#a-b.c#}} {{#1.0#}}", "{{# 1.a #}} {{#1#}} {{#a-b.c#}} {{#1.0#}}"),
        ("{{{{#1.a#}}}}", "{{A}}"),
        ("a\n{{#1.a#}}\n", "a\nA\n"),
    ],
)
def test_filled(template: str, filled: str) -> None:
    assert compile_text(template)(POOL) == filled


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    assert compile_text("{{#1.a#}}")({"1": {"a": "{{#1.b#}}", "b": "B"}}) == "{{#1.b#}}"


def test_the_values_of_a_text() -> None:
    assert compile_values("{{#1.o.k#}} and {{#1.gone#}} and {{#1.none#}}")(POOL) == [{"l": 5}, None]


def test_a_text_has_an_end() -> None:
    pool = {"1": {"a": "x" * 1_000_000}}
    assert len(compile_text("{{#1.a#}}" * 33)(pool)) == 33_000_000
    with pytest.raises(NodeFailure, match="more than 33554432 characters"):
        compile_text("{{#1.a#}}" * 34)(pool)
