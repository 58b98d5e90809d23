"""`llm`: one prompt to a model, and its reply."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from schemas.draft7 import schema_error
from schemas.jinja import syntax_error
from schemas.nodes.base import NodeData, Text, Tolerant, VariableSelector
from schemas.nodes.model import CONTEXT, HISTORIES, ModelConfig, NoMemory, Selector, Vision
from schemas.selectors import Reference, in_text, of, unread

EditionType = Literal["basic", "jinja2"]


class PromptText(Tolerant):
    """A text with `{{#..#}}` in it, or a Jinja2 template over `prompt_config.jinja2_variables`."""

    text: Text = ""
    edition_type: Annotated[EditionType, BeforeValidator(lambda value: value or "basic")] = "basic"
    jinja2_text: Text = ""


class PromptMessage(PromptText):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]


class PromptConfig(Tolerant):
    """What Jinja2 templates see."""

    jinja2_variables: Annotated[list[VariableSelector], BeforeValidator(lambda value: value or [])] = Field(
        default_factory=list
    )


class Context(Tolerant):
    """What `{{#context#}}` stands for: a text, or what a knowledge-retrieval node has found."""

    enabled: bool = False
    variable_selector: Selector = Field(default_factory=list)


class LLMData(NodeData):
    """`data` of an llm node."""

    model: ModelConfig
    prompt_template: list[PromptMessage] | PromptText
    """Messages for a chat model, one text for a completion model."""
    prompt_config: Annotated[PromptConfig, BeforeValidator(lambda value: value or {})] = PromptConfig()
    memory: NoMemory = None
    context: Annotated[Context, BeforeValidator(lambda value: value or {})] = Context()
    vision: Annotated[Vision, BeforeValidator(lambda value: value or {})] = Vision()
    structured_output: dict[str, Any] | None = None
    """`schema`: the JSON Schema of an object."""
    structured_output_switch_on: bool = False
    reasoning_format: Literal["tagged", "separated"] = "tagged"
    """Whether `<think>` stays in the text, or becomes `reasoning_content`."""

    @model_validator(mode="before")
    @classmethod
    def _with_current_names(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or "structured_output_enabled" not in value:
            return value
        renamed = {k: v for k, v in value.items() if k != "structured_output_enabled"}
        return {"structured_output_switch_on": value["structured_output_enabled"], **renamed}

    @property
    def texts(self) -> list[tuple[str, PromptText]]:
        """Each prompt with its place."""
        if isinstance(self.prompt_template, PromptText):
            return [("prompt_template", self.prompt_template)]
        return [(f"prompt_template.{i}", message) for i, message in enumerate(self.prompt_template)]

    @property
    def schema_wanted(self) -> Any:
        """Of the structured output; None where none is asked for."""
        if not self.structured_output_switch_on or self.structured_output is None:
            return None
        return self.structured_output.get("schema", {})

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from self.model.references()
        for place, prompt in self.texts:
            if prompt.edition_type == "basic":
                yield from in_text(f"{place}.text", prompt.text)
        for i, variable in enumerate(self.prompt_config.jinja2_variables):
            yield from of(f"prompt_config.jinja2_variables.{i}.value_selector", variable.value_selector)
        if self.context.enabled:
            yield from of("context.variable_selector", self.context.variable_selector)
        if self.memory:
            yield from self.memory.references()
        yield from self.vision.references()

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        for place, prompt in self.texts:
            wrong = syntax_error(prompt.jinja2_text) if prompt.edition_type == "jinja2" else None
            if wrong:
                yield f"{place}.jinja2_text", wrong

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        seen = ""
        for place, prompt in self.texts:
            text = prompt.text if prompt.edition_type == "basic" else prompt.jinja2_text
            seen += text
            for found in unread(HISTORIES.sub("", CONTEXT.sub("", prompt.text))):
                yield f"{place}.text", f"{found} is no reference and stays as it stands"
        if not seen.strip():
            yield "prompt_template", "there is no prompt: the node fails unless it is shown files"
        if self.context.enabled and self.context.variable_selector and not CONTEXT.search(seen):
            yield "context", "no prompt has {{#context#}} in it: the model does not see the context"
        wrong = schema_error(self.schema_wanted) if self.schema_wanted is not None else None
        if wrong:
            yield "structured_output.schema", f"the node will fail: {wrong}"
