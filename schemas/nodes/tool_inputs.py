"""How tool and agent nodes are given the values of their parameters."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import field_validator

from schemas.nodes.base import Tolerant
from schemas.selectors import Reference, in_text, of


class ToolInput(Tolerant):
    """One value: a selector (`variable`), a text with `{{#..#}}` (`mixed`), or any JSON (`constant`), whose
    texts may have `{{#..#}}` in them as well."""

    type: Literal["mixed", "variable", "constant"] = "mixed"
    value: Any = None

    @field_validator("value")
    @classmethod
    def _is_of_its_type(cls, value: Any, info: Any) -> Any:
        kind = info.data.get("type")
        if value is None:
            return value
        if kind == "variable" and not (
            isinstance(value, list) and all(isinstance(one, str) for one in value)
        ):
            raise ValueError("a variable is a list of texts")
        return value

    def references(self, field: str) -> Iterator[Reference]:
        """What it refers to."""
        if self.type == "variable":
            yield from of(f"{field}.value", self.value or ())
        else:
            yield from _within(f"{field}.value", self.value)


def as_inputs(given: Any) -> Any:
    """A mapping of inputs as editors of all ages have written it: without those that have no value, a bare
    value as a constant. An empty list stands for none."""
    if given in (None, []):
        return {}
    if not isinstance(given, Mapping):
        return given
    inputs = {
        name: value if _is_input(value) else {"type": "constant", "value": value}
        for name, value in given.items()
    }
    return {name: value for name, value in inputs.items() if value["value"] is not None}


def _is_input(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and "value" in value
        and value.get("type") in ("mixed", "variable", "constant")
    )


def _within(field: str, value: Any) -> Iterator[Reference]:
    if isinstance(value, str):
        yield from in_text(field, value)
    elif isinstance(value, Mapping):
        if value.get("type") == "variable" and isinstance(value.get("value"), list):
            yield from of(f"{field}.value", [str(one) for one in value["value"]])
            return
        for name, one in value.items():
            yield from _within(f"{field}.{name}", one)
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from _within(f"{field}.{i}", one)
