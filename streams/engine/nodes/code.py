"""code: a task for the sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.nodes.code import CodeData
from streams.engine.nodes.protocol import Task
from streams.engine.pool import Getter, Pool, carrier, or_none


@dataclass(frozen=True, slots=True)
class CodeNode:
    """The executor calls `main(**inputs)` and holds the result against `outputs`."""

    variables: tuple[tuple[str, Getter], ...]
    config: Mapping[str, Any]

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`. A variable that does not exist is None."""
        return Task(self.config, {name: or_none(get(pool)) for name, get in self.variables})


def compile_code(data: CodeData) -> CodeNode:
    """The program goes with each task: an executor keeps nothing."""
    config = data.model_dump(include={"type", "title", "code_language", "code", "outputs"})
    return CodeNode(tuple((v.variable, carrier(v.value_selector)) for v in data.variables), config)
