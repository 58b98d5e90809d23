"""question-classifier: a task with the question and the classes in their words of this run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.nodes.question_classifier import QuestionClassifierData
from streams.engine.nodes.asking import Fill, compile_files, compile_memory, compile_model, identity
from streams.engine.nodes.protocol import Task
from streams.engine.pool import Getter, Pool, getter, or_none
from streams.engine.texts import Text, compile_text
from streams.engine.values import text


@dataclass(frozen=True, slots=True)
class QuestionClassifierNode:
    """The task's config has `model`, `query`, `classes` (each {id, name, label}), `instruction`, `files` with
    `detail`, and `memory`.
    """

    data: QuestionClassifierData
    model: Fill
    query: Getter
    classes: tuple[tuple[str, Text, str], ...]
    instruction: Text
    files: Callable[[Pool], list[Any]]
    memory: Fill

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`."""
        query = or_none(self.query(pool))
        config = {
            "type": self.data.type,
            "title": self.data.title,
            "model": self.model(pool),
            "query": text(query),
            "classes": [{"id": i, "name": name(pool), "label": label} for i, name, label in self.classes],
            "instruction": self.instruction(pool),
            "files": self.files(pool),
            "detail": self.data.vision.configs.detail,
            "memory": self.memory(pool),
        }
        return Task(config, {"query": query} | identity(self.data.model))


def compile_question_classifier(data: QuestionClassifierData) -> QuestionClassifierNode:
    """A class without a label is called by its place."""
    return QuestionClassifierNode(
        data=data,
        model=compile_model(data.model),
        query=getter(data.query_variable_selector),
        classes=tuple(
            (one.id, compile_text(one.name), one.label or f"CLASS {place}")
            for place, one in enumerate(data.classes, 1)
        ),
        instruction=compile_text(data.instruction),
        files=compile_files(data.vision),
        memory=compile_memory(data.memory),
    )
