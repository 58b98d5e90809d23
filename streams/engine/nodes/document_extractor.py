"""document-extractor: a task that carries the files."""

from dataclasses import dataclass
from typing import Any

from schemas.files import is_file, is_file_list
from schemas.nodes.document_extractor import DocumentExtractorData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Task
from streams.engine.pool import MISSING, Getter, Pool, getter


@dataclass(frozen=True, slots=True)
class DocumentExtractorNode:
    """The task's config has `documents`: a file, a list of files, or [] for a variable that is empty."""

    data: DocumentExtractorData
    files: Getter

    def task(self, pool: Pool) -> Task:
        """See `TaskNode.task`."""
        selector = self.data.variable_selector
        found = self.files(pool)
        inputs = {"variable_selector": selector}
        if found is MISSING:
            raise NodeFailure(f"File variable not found for selector: {selector}", "DocumentExtractorError")
        value = _present(found)
        if value and not is_file(value) and not is_file_list(value):
            raise NodeFailure(f"Variable {selector} is not an ArrayFileSegment", "DocumentExtractorError")
        config = {"type": self.data.type, "title": self.data.title, "documents": value or []}
        return Task(config, inputs)


def compile_document_extractor(data: DocumentExtractorData) -> DocumentExtractorNode:
    """Nothing but the selector is compiled."""
    return DocumentExtractorNode(data, getter(data.variable_selector))


def _present(value: Any) -> Any:
    """A list without its empty elements; anything else as it is."""
    return [item for item in value if item] if isinstance(value, list) else value
