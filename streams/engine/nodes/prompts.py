"""The prompts of an llm node, compiled: texts with their files, and `{{#context#}}` within them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.files import is_file, is_file_list
from schemas.nodes.base import VariableSelector
from schemas.nodes.llm import PromptText
from schemas.nodes.model import CONTEXT
from schemas.selectors import in_text
from schemas.template import compile_template
from schemas.work_budget import TooMuchWork
from streams.engine.errors import NodeFailure
from streams.engine.pool import MISSING, Pool, getter, or_none
from streams.engine.texts import Text, compile_text, compile_values

Prompt = Callable[[Pool, str], dict[str, Any]]
"""From the pool and the context to {text, files}."""

_SHOWN = frozenset({"image", "video", "audio", "document"})
"""Types of files that a model can be shown."""


def compile_prompt(prompt: PromptText, jinja_variables: Sequence[VariableSelector]) -> Prompt:
    """Either edition of a prompt."""
    if prompt.edition_type == "jinja2":
        return _compile_jinja(prompt.jinja2_text, jinja_variables)
    return _compile_basic(prompt.text)


def compile_inputs(text: str) -> Callable[[Pool], dict[str, Any]]:
    """The variables of a text as `#node.name#`. Raises `NodeFailure` for one that does not exist."""
    getters = [(".".join(found.selector), getter(found.selector)) for found in in_text("", text)]

    def inputs(pool: Pool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, get in getters:
            value = get(pool)
            if value is MISSING:
                raise NodeFailure(f"there is no variable {name}", "VariableNotFoundError")
            found[f"#{name}#"] = "" if value is None else value
        return found

    return inputs


def compile_jinja_inputs(variables: Sequence[VariableSelector]) -> Callable[[Pool], dict[str, Any]]:
    """By the names that templates have for them. Raises `NodeFailure` for one that does not exist."""
    getters = [(variable.variable, getter(variable.value_selector)) for variable in variables]

    def inputs(pool: Pool) -> dict[str, Any]:
        found = {name: get(pool) for name, get in getters}
        for name, value in found.items():
            if value is MISSING:
                raise NodeFailure(f"there is no variable for {name}", "VariableNotFoundError")
        return found

    return inputs


def _compile_basic(source: str) -> Prompt:
    # The context is put in between texts that are filled in already: what was retrieved is no template.
    texts: list[Text] = [compile_text(piece) for piece in CONTEXT.split(source)]
    values = compile_values(source)

    def fill(pool: Pool, context: str) -> dict[str, Any]:
        files = [file for value in values(pool) for file in _files(value)]
        return {"text": context.join(text(pool) for text in texts), "files": files}

    return fill


def _compile_jinja(source: str, variables: Sequence[VariableSelector]) -> Prompt:
    render = compile_template(source)
    getters = [(variable.variable, getter(variable.value_selector)) for variable in variables]

    def fill(pool: Pool, context: str) -> dict[str, Any]:
        given: Mapping[str, Any] = {name: or_none(get(pool)) for name, get in getters}
        try:
            return {"text": render(given), "files": []}
        except TooMuchWork as limit:
            raise NodeFailure(str(limit), "TemplateLimit", given) from limit
        except Exception as wrong:  # a template can raise whatever the methods that it calls raise
            raise NodeFailure(f"{type(wrong).__name__}: {wrong}", "TemplateError", given) from wrong

    return fill


def _files(value: Any) -> list[Any]:
    files = [value] if is_file(value) else value if is_file_list(value) else []
    return [file for file in files if file.get("type") in _SHOWN]
