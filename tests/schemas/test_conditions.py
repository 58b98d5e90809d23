"""The language of conditions on inputs and outputs."""

import pytest

from schemas.conditions import Condition, read_condition


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("input.tier=gold", Condition("input", ("tier",), "=", "gold", "gold")),
        ("inputs.a.b[0].c != x y ", Condition("input", ("a", "b", 0, "c"), "!=", "x y", "x y")),
        ("output.total>=1e2", Condition("output", ("total",), ">=", 100.0, "1e2")),
        ("output.total<-3", Condition("output", ("total",), "<", -3, "-3")),
        ('output["a.b"]="7"', Condition("output", ("a.b",), "=", "7", "7")),
        (r'output["a\"]"]=x', Condition("output", ('a"]',), "=", "x", "x")),
        ("input.ok=true", Condition("input", ("ok",), "=", True, "true")),
        ("input.ok=null", Condition("input", ("ok",), "=", None, "null")),
        ("input.name=", Condition("input", ("name",), "=", "", "")),
        ("input.name=007", Condition("input", ("name",), "=", "007", "007")),
        ("input.a~b=c", Condition("input", ("a",), "~", "b=c", "b=c")),
        ("input~re\nfund", Condition("input", (), "~", "re\nfund", "re\nfund")),
        ("input.größe>2026-01-01", Condition("input", ("größe",), ">", "2026-01-01", "2026-01-01")),
    ],
)
def test_a_condition_is_read(written: str, expected: Condition) -> None:
    assert read_condition(written) == expected


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("tier=gold", "no condition like"),
        ("input.tier", "no condition like"),
        ("input..a=1", "no condition like"),
        ("input=1", "needs a path"),
        ("input.a~", "needs a text"),
        ("input.a>true", "neither more nor less"),
        ('input.a="x', "no text in JSON's quotes"),
        ("input.a[9999999]=1", "no list has a position"),
        ("input" + ".a" * 21 + "=1", "more than 20 steps"),
    ],
)
def test_what_is_none_is_told_what_is_missing(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_condition(written)
