"""Regular expressions of users: what is refused, and that none takes long."""

import pytest

from schemas.regexes import MAX_CHARS, compile_regex


def test_it_searches() -> None:
    assert compile_regex(r"@corp\.example$").search("ada@corp.example")
    assert not compile_regex(r"@corp\.example$").search("ada@corp.example.org")


@pytest.mark.parametrize(
    ("source", "said"),
    [("(a", "missing )"), (r"(?=a)b", "invalid perl operator"), (r"(a)\1", "invalid escape"),
     ("((a{100}){100}){100}", "invalid repetition"), ("(?:\\pL{500}){2}", "too large"),
     ("a" * (MAX_CHARS + 1), "at most 1000 characters")],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(source: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace(")", r"\)")):
        compile_regex(source)


def test_what_takes_exponential_time_elsewhere_does_not_here() -> None:
    """Backtracking needs 2^50000 steps for this: the test would not end."""
    assert compile_regex(r"^(a+)+$").search("a" * 50_000 + "b") is None
