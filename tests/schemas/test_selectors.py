"""What is a reference within a text, and what only looks like one."""

from schemas.selectors import split, unread


def test_what_only_looks_like_a_reference_is_named() -> None:
    text = "{{#a.b#}} {{#a#}} {{# a.b #}} {{#x\n#}} {{#c\n{{#d.e.#}} }#}} {{#open"
    assert unread(text) == ["{{#a#}}", "{{# a.b #}}", "{{#d.e.#}}"]
    assert split("{{#a.b#}}{{#a#}}") == [("a", "b"), "{{#a#}}"]


def test_texts_of_any_length_are_looked_through_once() -> None:
    # From each of them to the end, it would be hours.
    assert unread("{{#" * 400_000) == []
    assert unread("{{#a" * 400_000 + "\n#}}") == []
    assert unread("{{#a\n" * 400_000 + "#}}") == []
