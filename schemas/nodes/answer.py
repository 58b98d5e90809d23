"""`answer`: a text for the user of a chat."""

from collections.abc import Iterator

from schemas.nodes.base import NodeData
from schemas.selectors import Reference, in_text, unread


class AnswerData(NodeData):
    """`data` of an answer node."""

    answer: str

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from in_text("answer", self.answer)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        for found in unread(self.answer):
            yield "answer", f"{found} is no reference and stays as it stands"
