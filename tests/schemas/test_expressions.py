"""What is said of an expression that is none."""

import pytest

from schemas.expressions import Expression


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("event.x ==", "<input>:1:11: Syntax error: mismatched input '<EOF>'"),
        ("event.x\n ==", "<input>:2:4: Syntax error: mismatched input '<EOF>'"),
        ("event x", "<input>:1:7: Syntax error: extraneous input 'x' expecting <EOF>"),
        ("event.body['x'", "<input>:1:15: Syntax error: missing ']' at '<EOF>'"),
        ("event.x = 1", "<input>:1:9: Syntax error: token recognition error at: '= '"),
    ],
)
def test_the_first_complaint_without_all_tokens_that_might_stand_there(source: str, why: str) -> None:
    with pytest.raises(ValueError, match="is no CEL expression") as wrong:
        Expression(source)
    assert str(wrong.value) == f"{source!r} is no CEL expression: {why}"
