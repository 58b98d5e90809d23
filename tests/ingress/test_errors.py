"""How what goes wrong is told to who has sent the request."""

from typing import Annotated, cast

import orjson
import pytest
from pydantic import AfterValidator, BaseModel, ValidationError

from ingress.errors import answer_to, invalid
from ingress.express.request import EventRequest


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


def test_what_took_too_long_is_told_also_where_nobody_has_said_so() -> None:
    answer = answer_to(cast(EventRequest, None), TimeoutError())
    assert orjson.loads(cast(bytes, answer.body))["detail"] == "it took too long; send it again"
