"""`human-input`: the run waits for a person, who fills in a form and chooses an action."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from schemas.nodes.base import NodeData, Text, Tolerant
from schemas.nodes.start import InputType, Names
from schemas.selectors import Reference, in_text, of

TIMEOUT = "__timeout"
"""The handle of what happens when nobody answers in time."""

_UNIT_S = {"minute": 60, "hour": 3600, "day": 86_400}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _type_name(value: Any) -> Any:
    return value.replace("_", "-") if isinstance(value, str) and value != "json_object" else value


def _singular(value: Any) -> Any:
    return value.removesuffix("s") if isinstance(value, str) else value


def _constant(value: Any) -> Any:
    """A default that is no source is one itself."""
    return {"value": value} if value is not None and not isinstance(value, dict) else value


class Source(Tolerant):
    """A constant, or the value of a variable."""

    type: Literal["constant", "variable"] = "constant"
    selector: Names = Field(default_factory=list)
    value: Any = None


_FormType = Literal[
    InputType.TEXT_INPUT, InputType.PARAGRAPH, InputType.SELECT, InputType.NUMBER, InputType.CHECKBOX,
    InputType.FILE, InputType.FILE_LIST,
]  # fmt: skip


class FormInput(Tolerant):
    """One field of the form."""

    output_variable_name: str = Field(min_length=1)
    type: Annotated[_FormType, BeforeValidator(_type_name)] = InputType.PARAGRAPH
    required: bool = True
    default: Annotated[Source | None, BeforeValidator(_constant)] = None
    option_source: Annotated[Source | None, BeforeValidator(_constant)] = None
    """Of a select: a list of texts."""
    max_length: int | None = Field(default=None, ge=0)
    allowed_file_types: Names = Field(default_factory=list)
    allowed_file_extensions: Names = Field(default_factory=list)
    allowed_file_upload_methods: Names = Field(default_factory=list)
    number_limits: int = Field(default=0, ge=0)
    """The most files; 0 is no limit."""

    def sources(self) -> Iterator[tuple[str, Source]]:
        """(field, source) of what is taken from elsewhere."""
        if self.default is not None:
            yield "default", self.default
        if self.option_source is not None:
            yield "option_source", self.option_source


class UserAction(Tolerant):
    """One way to answer; its id is the handle of the branch that is taken then."""

    id: str
    title: Text = ""
    button_style: Text = "default"


class DeliveryMethod(Tolerant):
    """How Dify brings the form to people. Nothing here does: answers come by the API."""

    type: Text = ""
    enabled: bool = True


class HumanInputData(NodeData):
    """`data` of a human-input node."""

    form_content: Text = ""
    """Markdown; `{{#$output.field#}}` stands for what is filled in."""
    inputs: list[FormInput] = Field(default_factory=list)
    user_actions: list[UserAction] = Field(default_factory=list)
    correlation_key: Text = ""
    """Template: an event whose trigger gives the same key answers. Hopline's own; Dify ignores it."""
    delivery_methods: list[DeliveryMethod] | None = None
    timeout: int = Field(default=36, gt=0)
    timeout_unit: Annotated[Literal["minute", "hour", "day"], BeforeValidator(_singular)] = "hour"

    @property
    def timeout_s(self) -> int:
        """How long an answer is waited for."""
        return self.timeout * _UNIT_S[self.timeout_unit]

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from in_text("form_content", self.form_content)
        yield from in_text("correlation_key", self.correlation_key)
        for i, field in enumerate(self.inputs):
            for name, source in field.sources():
                if source.type == "variable":
                    yield from of(f"inputs.{i}.{name}.selector", source.selector)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        names = [field.output_variable_name for field in self.inputs]
        actions = [action.id for action in self.user_actions]
        for place, ids in (("inputs", names), ("user_actions", actions)):
            for name in sorted({name for name in ids if ids.count(name) > 1}):
                yield place, f"{name!r} is there several times"
        for i, action in enumerate(self.user_actions):
            if not _IDENTIFIER.fullmatch(action.id):
                yield f"user_actions.{i}.id", f"{action.id!r} must be letters, digits and underscores"
        for i, field in enumerate(self.inputs):
            if field.type is InputType.SELECT and field.option_source is None:
                yield f"inputs.{i}.option_source", "is missing: a select needs options"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        if not self.user_actions:
            yield "user_actions", "there are none: any answer leaves by the handle 'source'"
        for i, method in enumerate(self.delivery_methods or ()):
            if method.enabled and method.type != "webapp":
                yield f"delivery_methods.{i}", f"nothing is sent by {method.type}: answers come by the API"

    def handles(self) -> frozenset[str]:
        """See `NodeData.handles`."""
        return frozenset({*([action.id for action in self.user_actions] or ["source"]), TIMEOUT})
