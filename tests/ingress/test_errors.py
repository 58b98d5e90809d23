"""How what pydantic finds in a body is told to its sender."""

from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, ValidationError

from ingress.errors import invalid


def _even(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


class _Body(BaseModel):
    number: Annotated[int, AfterValidator(_even)]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"number": 3}, "3 is odd"),
        ({}, "Field required"),
    ],
)
def test_each_field_has_the_words_of_who_refused_it(given: dict[str, int], why: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        _Body.model_validate(given)
    refusal = invalid(wrong.value, "config")
    assert refusal.extensions == {"errors": [{"node": None, "field": "config.number", "why": why}]}
