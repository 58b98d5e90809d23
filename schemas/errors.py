"""What can be wrong with data.

SchemaError
├── UndecodableValue  the bytes are not a value of a known schema: dead-letter
├── UnencodableValue  the record does not fit its schema: a bug, crash
├── NoCloudEvent      what a producer sends is none: refuse with everything that is wrong (cloudevents)
├── UnknownFormat     it is in an event format that is not read: refuse (cloudevents)
└── InvalidDefinition what a user configured has problems: refuse with the whole list
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails


class SchemaError(Exception):
    """Any of the above."""


class UndecodableValue(SchemaError):
    """Bytes that no known schema can read. The message says what was expected."""


class UnencodableValue(SchemaError):
    """A record that does not fit its schema."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a definition, in words that say what to change."""

    node: str | None
    """Node id in the graph, None for the definition as a whole."""
    field: str
    """Dotted path within the node's data or the document."""
    why: str

    def __str__(self) -> str:
        place = f"node {self.node}, {self.field}" if self.node else self.field
        return f"{place}: {self.why}"


class InvalidDefinition(SchemaError):
    """Carries every problem that was found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def reason(error: ErrorDetails) -> str:
    """Why pydantic refuses a field: in the words of the validator of ours that did, else in pydantic's."""
    return error["msg"].removeprefix("Value error, ") if error["type"] == "value_error" else error["msg"]


def abridged(value: Any) -> str:
    """For a message: not more than one can take in."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
