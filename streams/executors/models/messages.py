"""What is said to a model and what it says: the vocabulary of the chat interface, without its wire format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from streams.executors.models.replies import repaired

Role = Literal["system", "user", "assistant", "tool"]
MediaKind = Literal["image", "audio", "video", "document"]
Detail = Literal["low", "high", "auto"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text beside pieces of other kinds."""

    text: str


@dataclass(frozen=True, slots=True)
class MediaPart:
    """A file that is sent whole."""

    kind: MediaKind
    content: bytes
    mime_type: str
    filename: str = ""
    detail: Detail = "high"
    """Of images: how closely the model looks at them."""


Part = TextPart | MediaPart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants to be called."""

    id: str
    name: str
    arguments: str
    """As the model wrote it: JSON, or nearly."""
    extra: Mapping[str, Any] | None = None
    """`extra_content`: Gemini signs its calls there, and refuses one that comes back without."""

    def parsed(self) -> dict[str, Any]:
        """The arguments by name, repaired where they are no JSON, which is slow; none where nothing can be
        made of them."""
        try:
            value = orjson.loads(self.arguments or "{}")
        except orjson.JSONDecodeError:
            value = repaired(self.arguments)
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """Of an assistant."""
    tool_call_id: str | None = None
    """Of a tool: which call this is the result of."""
    reasoning: str | None = None
    """Of an assistant that calls tools: its `reasoning_content`, if there was any."""

    @property
    def has_media(self) -> bool:
        """Whether there are files in it."""
        return not isinstance(self.content, str) and any(isinstance(part, MediaPart) for part in self.content)

    @property
    def text(self) -> str:
        """Without files."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema of an object."""


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The reply is to be JSON that matches the schema."""

    schema: Mapping[str, Any]
    name: str = "output"


ResponseFormat = JsonSchema | Literal["json_object"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One request to a model, whichever it is."""

    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """`temperature` and so on, as the node has them; the settings of the provider fill in the rest."""
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    """`auto`, `none`, `required` or the name of a tool; None: the endpoint's default."""
    stop: tuple[str, ...] = ()
    response_format: ResponseFormat | None = None
    """None: as `parameters` say."""
    idempotency_key: str | None = None
    """The same for a request that is sent again by another worker."""
