"""parameter-extractor: a task with the text and what is to be read out of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.nodes.parameter_extractor import ParameterExtractorData
from streams.engine.nodes.asking import Fill, compile_files, compile_memory, compile_model, identity
from streams.engine.nodes.protocol import Task
from streams.engine.pool import Getter, Pool, getter, or_none
from streams.engine.texts import Text, compile_text
from streams.engine.values import text


@dataclass(frozen=True, slots=True)
class ParameterExtractorNode:
    """The task's config has `model`, `query`, `parameters` as in the node's data, `instruction`,
    `reasoning_mode`, `files` with `detail`, and `memory`.
    """

    data: ParameterExtractorData
    parameters: list[dict[str, Any]]
    model: Fill
    query: Getter
    instruction: Text
    files: Callable[[Pool], list[Any]]
    memory: Fill

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`."""
        query, files = text(or_none(self.query(pool))), self.files(pool)
        config = {
            "type": self.data.type,
            "title": self.data.title,
            "model": self.model(pool),
            "query": query,
            "parameters": self.parameters,
            "instruction": self.instruction(pool),
            "reasoning_mode": self.data.reasoning_mode,
            "files": files,
            "detail": self.data.vision.configs.detail,
            "memory": self.memory(pool),
        }
        inputs = {
            "query": query,
            "files": files,
            "parameters": self.parameters,
            "instruction": self.data.instruction,
        }
        return Task(config, inputs | identity(self.data.model))


def compile_parameter_extractor(data: ParameterExtractorData) -> ParameterExtractorNode:
    """Nothing but texts and selectors is compiled."""
    return ParameterExtractorNode(
        data=data,
        parameters=[parameter.model_dump() for parameter in data.parameters],
        model=compile_model(data.model),
        query=getter(data.query),
        instruction=compile_text(data.instruction),
        files=compile_files(data.vision),
        memory=compile_memory(data.memory),
    )
