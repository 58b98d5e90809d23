"""answer: a text for the user of a chat, as Markdown, with the files among its variables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.files import is_file, is_file_list
from schemas.nodes.answer import AnswerData
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import Pool
from streams.engine.texts import Text, compile_text, compile_values
from streams.engine.values import markdown


@dataclass(frozen=True, slots=True)
class AnswerNode:
    """Its outputs are `answer` and `files`."""

    fill: Text
    values: Callable[[Pool], list[Any]]

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`."""
        files: list[Any] = []
        for value in self.values(pool):
            if is_file(value):
                files.append(value)
            elif is_file_list(value):
                files.extend(value)
        return Outcome({}, {"answer": self.fill(pool), "files": files})


def compile_answer(data: AnswerData) -> AnswerNode:
    """The text, split at its variables."""
    return AnswerNode(compile_text(data.answer, markdown), compile_values(data.answer))
