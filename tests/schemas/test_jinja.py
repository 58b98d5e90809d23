"""What Jinja2 refuses."""

import sys

import pytest

from schemas.jinja import syntax_error


def test_it_says_where_and_each_time_the_same() -> None:
    for _ in range(2):
        wrong = syntax_error("{{ a }}\n{% if %}")
        assert wrong == "line 2: Expected an expression, got 'end of statement block'"
        assert syntax_error("{% if a %}{{ b }}{% endif %}") is None


def test_a_template_does_not_stay_though_what_was_found_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 of a megabyte would: each save of a draft may have others."""
    template = "{% if a %}" + "x" * 1_000_000 + "{% endif %}"
    before = sys.getrefcount(template)
    assert syntax_error(template) is None
    assert sys.getrefcount(template) == before

    def never(_: str) -> None:
        raise AssertionError("it has been looked at")

    monkeypatch.setattr("schemas.jinja._syntax_error", never)
    assert syntax_error(template) is None
