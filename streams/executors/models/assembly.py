"""Puts a reply together from its pieces. A reply that comes whole is a stream of one piece."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.executors.models.messages import ToolCall


@dataclass(slots=True)
class _OpenCall:
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    extra: Mapping[str, Any] | None = None


class Assembly:
    """Takes the chunks of one reply in order."""

    def __init__(self) -> None:
        self.answered = False
        """Whether anything was an answer at all, be it empty."""
        self.finish_reason: str | None = None
        self.prompt_tokens = self.completion_tokens = self.total_tokens = 0
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._reasoning_content: list[str] | None = None
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._images: list[str] = []

    @property
    def text(self) -> str:
        """The reply so far; a refusal stands for one."""
        return "".join(self._text) or "".join(self._refusal)

    @property
    def reasoning(self) -> str:
        """What is given as reasoning, apart from the text."""
        return "".join(self._reasoning)

    @property
    def reasoning_content(self) -> str | None:
        """What of it came by this name; None where nothing did, not even an empty text."""
        return None if self._reasoning_content is None else "".join(self._reasoning_content)

    def tool_calls(self, before: int = 0) -> tuple[ToolCall, ...]:
        """In the order in which they were begun. One without an id gets its place as its id, counted from
        `before`: how many its conversation has already."""
        return tuple(
            ToolCall(call.id or f"call_{place}", call.name, "".join(call.arguments), call.extra)
            for place, call in enumerate(self._calls, before)
            if call.name
        )

    @property
    def images(self) -> tuple[str, ...]:
        """URLs, most of them `data:` ones."""
        return tuple(self._images)

    @property
    def begun(self) -> bool:
        """Whether the model has said anything."""
        return bool(self._text or self._refusal or self._reasoning or self._calls or self._images)

    def add(self, chunk: Mapping[str, Any]) -> None:
        """One chunk, or the whole. Of several choices the first counts."""
        self._count(chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage"))
        choices = chunk.get("choices") or ()
        if not choices:
            return
        self.answered = True
        choice = choices[0]
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        said = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
        _extend(self._text, said.get("content"))
        _extend(self._refusal, said.get("refusal"))
        _extend(self._reasoning, said.get("reasoning_content") or said.get("reasoning"))
        if said.get("reasoning_content") is not None:
            self._reasoning_content = self._reasoning_content or []
            _extend(self._reasoning_content, said["reasoning_content"])
        self._images += _images(said.get("content")) + _images(said.get("images"))
        for call in said.get("tool_calls") or ():
            self._call(call)

    def _count(self, usage: Mapping[str, Any] | None) -> None:
        """Counts may come more than once: the last ones are of the whole reply."""
        if usage:
            self.prompt_tokens = int(usage.get("prompt_tokens") or 0)
            self.completion_tokens = int(usage.get("completion_tokens") or 0)
            self.total_tokens = int(usage.get("total_tokens") or 0)

    def _call(self, piece: Mapping[str, Any]) -> None:
        call = self._open(piece)
        call.id = str(piece.get("id") or call.id)
        function = piece.get("function") or {}
        call.name = function.get("name") or call.name
        call.extra = piece.get("extra_content") or call.extra
        arguments = function.get("arguments")
        if arguments is not None:
            call.arguments.append(str(arguments))

    def _open(self, piece: Mapping[str, Any]) -> _OpenCall:
        """The call that the piece belongs to. Where a server leaves out the index, an id begins a call, and
        what has none belongs to the last. Gemini gives all calls of a reply the index 0: there a name under
        another id begins one."""
        index, given = piece.get("index"), piece.get("id")
        if index is None:
            call = self._calls[-1] if self._calls else None
            is_other = call is not None and given and given != call.id
        else:
            call = self._by_index.get(int(index))
            named = (piece.get("function") or {}).get("name")
            is_other = call is not None and call.id and given and named and given != call.id
        if call is None or is_other:
            call = _OpenCall("")
            self._calls.append(call)
        if index is not None:
            self._by_index[int(index)] = call
        return call


def _extend(pieces: list[str], said: Any) -> None:
    """A text, or a list of parts of which the texts count."""
    if isinstance(said, list):
        said = "".join(str(part.get("text") or "") for part in said if isinstance(part, dict))
    if said:
        pieces.append(str(said))


def _images(parts: Any) -> list[str]:
    """As OpenRouter and others have them: parts like those that a model is shown."""
    found = (
        [part.get("image_url") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    )
    return [str(image["url"]) for image in found if isinstance(image, dict) and image.get("url")]
