"""llm: a task with every prompt filled in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.nodes.llm import LLMData, PromptMessage, PromptText
from schemas.nodes.model import Memory
from streams.engine.nodes.asking import (
    Fill,
    compile_files,
    compile_memory,
    compile_model,
    identity,
)
from streams.engine.nodes.context import context_text
from streams.engine.nodes.prompts import Prompt, compile_inputs, compile_jinja_inputs, compile_prompt
from streams.engine.nodes.protocol import Task
from streams.engine.pool import MISSING, Getter, Pool, getter, or_none
from streams.engine.values import text

_QUERY = ("sys", "query")

_Inputs = Callable[[Pool], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LLMNode:
    """The task's config has `model`, `prompts` (each {role, text, files}; role is None for the single prompt
    of a completion model), `query` ({text, files} or None), `files` with `detail`, `memory`, `schema` (of
    the structured output, or None) and `reasoning_format`.
    """

    data: LLMData
    model: Fill
    prompts: tuple[tuple[str | None, Prompt], ...]
    query: Fill
    context: Getter
    files: Callable[[Pool], list[Any]]
    memory: Fill
    inputs: tuple[_Inputs, ...]

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`."""
        inputs = {name: value for fill in self.inputs for name, value in fill(pool).items()}
        files = self.files(pool)
        context = context_text(or_none(self.context(pool)))
        if files:
            inputs["#files#"] = files
        if context:
            inputs["#context#"] = context
        config = {
            "type": self.data.type,
            "title": self.data.title,
            "model": self.model(pool),
            "prompts": [{"role": role, **fill(pool, context or "")} for role, fill in self.prompts],
            "query": self.query(pool),
            "files": files,
            "detail": self.data.vision.configs.detail,
            "memory": self.memory(pool),
            "schema": self.data.schema_wanted,
            "reasoning_format": self.data.reasoning_format,
        }
        return Task(config, inputs | identity(self.data.model))


def compile_llm(data: LLMData) -> LLMNode:
    """All prompts of the node, compiled."""
    variables = data.prompt_config.jinja2_variables
    basic = [prompt.text for _, prompt in data.texts if prompt.edition_type == "basic"]
    return LLMNode(
        data=data,
        model=compile_model(data.model),
        prompts=tuple(
            (prompt.role if isinstance(prompt, PromptMessage) else None, compile_prompt(prompt, variables))
            for _, prompt in data.texts
        ),
        query=_compile_query(data.memory),
        context=getter(data.context.variable_selector if data.context.enabled else ()),
        files=compile_files(data.vision),
        memory=compile_memory(data.memory),
        inputs=(
            *map(compile_inputs, basic),
            compile_jinja_inputs(variables),
            compile_inputs(data.memory.query_prompt_template if data.memory else ""),
        ),
    )


def _compile_query(memory: Memory | None) -> Fill:
    """What the user says in this turn. Only a node with a memory adds it to its prompts."""
    if memory is None:
        return lambda _: None
    if memory.query_prompt_template:
        fill = compile_prompt(PromptText(text=memory.query_prompt_template), ())
        return lambda pool: fill(pool, "")
    query = getter(_QUERY)

    def asked(pool: Pool) -> dict[str, Any] | None:
        value = query(pool)
        return None if value is MISSING else {"text": text(value), "files": []}

    return asked
