"""What the nodes that ask a model have in common: the model, what it remembers, what it is shown."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from schemas.nodes.base import Text, Tolerant
from schemas.selectors import Reference, in_text, of


def _without_nulls(value: Any) -> Any:
    """The editor writes null for what it has not been told."""
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value


def _flat(value: Any) -> Any:
    """Some editors put a selector into a list of one."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], list) else value or []


Selector = Annotated[list[str], BeforeValidator(_flat)]


class ModelConfig(Tolerant):
    """Which model, and how it is asked."""

    provider: str
    """`openai`, or in full `langgenius/openai/openai`."""
    name: str
    mode: Literal["chat", "completion"] = "chat"
    completion_params: Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})] = Field(
        default_factory=dict
    )
    """A text may have `{{#..#}}` in it."""

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for name, value in self.completion_params.items():
            if isinstance(value, str):
                yield from in_text(f"model.completion_params.{name}", value)


class VisionOptions(Tolerant):
    """Which files."""

    variable_selector: Selector = Field(default_factory=lambda: ["sys", "files"])
    detail: Literal["low", "high", "auto"] = "high"


class Vision(Tolerant):
    """Whether the model is shown files."""

    enabled: bool = False
    configs: Annotated[VisionOptions, BeforeValidator(lambda value: _without_nulls(value or {}))] = (
        VisionOptions()
    )

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        if self.enabled:
            yield from of("vision.configs.variable_selector", self.configs.variable_selector)


class RolePrefix(Tolerant):
    """Who speaks, in a history that is one text."""

    user: Text = ""
    assistant: Text = ""


class Window(Tolerant):
    """How far back."""

    enabled: bool = False
    size: Annotated[int | None, Field(ge=0)] = None
    """Turns of the conversation."""


class Memory(Tolerant):
    """Of the conversation so far. A run that belongs to none has nothing to remember."""

    role_prefix: RolePrefix | None = None
    window: Annotated[Window, BeforeValidator(lambda value: _without_nulls(value or {}))] = Window()
    query_prompt_template: Text = ""
    """What the user says in this turn; empty: `{{#sys.query#}}`."""

    @property
    def turns(self) -> int | None:
        """Most that are remembered; None: as many as the model can take."""
        return self.window.size if self.window.enabled else None

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from in_text("memory.query_prompt_template", self.query_prompt_template)


NoMemory = Annotated[Memory | None, BeforeValidator(lambda value: value or None)]
"""A field that the editor may write as null or as an empty object."""

CONTEXT = re.compile(r"\{\{#context#\}\}")
"""Stands for the context in a prompt."""
HISTORIES = re.compile(r"\{\{#histories#\}\}")
"""Stands for the conversation so far in a prompt that is one text."""
