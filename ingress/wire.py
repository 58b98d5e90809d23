"""Models that cross the wire. What is written under a field becomes its description in OpenAPI."""

from pydantic import BaseModel, ConfigDict


class RequestBody(BaseModel):
    """What callers send. An unknown field is refused: it would be a misspelt one that changes nothing."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Answer(BaseModel):
    """What callers get."""

    model_config = ConfigDict(use_attribute_docstrings=True)
