"""What came back from a model."""

from dataclasses import dataclass

from streams.executors.models.messages import Message, ToolCall
from streams.executors.models.usage import NOTHING, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A reply that has ended."""

    text: str = ""
    reasoning: str = ""
    """What the endpoint gives as reasoning apart from the text; `<think>` within the text stays there."""
    reasoning_content: str | None = None
    """Of that what came by this name, None where nothing did: DeepSeek and others refuse the results of tools
    without what the model thought when it called them."""
    tool_calls: tuple[ToolCall, ...] = ()
    images: tuple[str, ...] = ()
    """What the model has drawn: `data:` URLs, or others."""
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls`, `content_filter`; None where the endpoint does not say."""
    usage: Usage = NOTHING

    def as_message(self) -> Message:
        """To go on with the conversation."""
        return Message("assistant", self.text, tool_calls=self.tool_calls, reasoning=self.reasoning_content)
