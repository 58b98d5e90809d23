"""From the prompts of a task to the messages that a model is sent."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from schemas.models.model_provider import ModelSettings
from streams.executors.models.messages import MediaKind, MediaPart, Message, Part, TextPart
from streams.executors.models.node_errors import FileTypeNotSupportError, NoPromptFoundError
from streams.executors.models.wire import takes

ReadFile = Callable[[Mapping[str, Any], str], Awaitable[bytes]]
"""The bytes of a file value of a tenant. Raises `FileUnreadable`."""

Turns = Sequence[Mapping[str, str]]
"""Of a conversation: {query, answer}, the oldest first."""

_MIME_TYPES = {
    "image": "image/png",
    "audio": "audio/mpeg",
    "video": "video/mp4",
    "document": "application/pdf",
}
"""For files whose type nobody has said."""

_UNKNOWN_CONTEXT_TOKENS = 2000
_BYTES_PER_TOKEN = 3


class Media:
    """Reads the files of one node."""

    def __init__(self, read_file: ReadFile, tenant_id: str, detail: str) -> None:
        self._read_file = read_file
        self._tenant_id = tenant_id
        self._detail = detail

    async def parts(self, files: Iterable[Mapping[str, Any]], settings: ModelSettings) -> list[Part]:
        """Those that the model takes, whole. Raises `FileUnreadable`, `FileTypeNotSupportError`."""
        return [await self._part(file) for file in files if takes(settings, _kind(file))]

    async def _part(self, file: Mapping[str, Any]) -> Part:
        kind = _kind(file)
        return MediaPart(
            kind=kind,
            content=await self._read_file(file, self._tenant_id),
            mime_type=str(file.get("mime_type") or _MIME_TYPES[kind]),
            filename=str(file.get("filename") or ""),
            detail="low" if self._detail == "low" else "auto" if self._detail == "auto" else "high",
        )


def _kind(file: Mapping[str, Any]) -> MediaKind:
    kind = file.get("type")
    for known in get_args(MediaKind):
        if kind == known:
            return known  # type: ignore[no-any-return]
    raise FileTypeNotSupportError(
        f"{file.get('filename') or 'a file'} is of type {kind!r}, which no model is shown"
    )


def with_files(messages: Sequence[Message], files: Sequence[Part]) -> list[Message]:
    """What the user shows stands before what the user says last, else it is a message of its own."""
    if not files:
        return list(messages)
    *before, last = messages or [Message("user")]
    if last.role != "user":
        return [*messages, Message("user", tuple(files))]
    said = (TextPart(last.content),) if isinstance(last.content, str) and last.content else last.content
    return [*before, Message("user", (*files, *said))]


def without_empty(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Raises `NoPromptFoundError` where nothing is left."""
    kept = tuple(message for message in messages if message.content or message.tool_calls)
    if not kept:
        raise NoPromptFoundError("there is nothing to send to the model: every prompt is empty")
    return kept


def recent(turns: Turns, settings: ModelSettings, parameters: Mapping[str, Any], prompt: str) -> Turns:
    """The latest turns that fit beside the prompt and the reply.

    Tokens are counted as a third of the bytes, which is more than they are in most languages. Where the
    size of the model's context is not known, the turns may take 2,000 tokens, as in Dify.
    """
    room = _UNKNOWN_CONTEXT_TOKENS
    if settings.context_size is not None:
        wanted = parameters.get("max_tokens")
        reply = int(wanted) if isinstance(wanted, int | float) else 0
        room = settings.context_size - reply - _tokens(prompt)
    kept = len(turns)
    for turn in reversed(turns):
        room -= _tokens(turn["query"]) + _tokens(turn["answer"])
        if room < 0:
            break
        kept -= 1
    return turns[kept:]


def as_messages(turns: Turns) -> list[Message]:
    """Each a message of the user and one of the assistant."""
    return [
        message
        for turn in turns
        for message in (Message("user", turn["query"]), Message("assistant", turn["answer"]))
    ]


def as_text(turns: Turns, user: str = "Human", assistant: str = "Assistant") -> str:
    """For prompts that are one text."""
    return "\n".join(f"{user}: {turn['query']}\n{assistant}: {turn['answer']}" for turn in turns)


def shown(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The messages for the reader of the run: files by name and size."""
    return [_shown(message) for message in messages]


def _shown(message: Message) -> dict[str, Any]:
    parts = () if isinstance(message.content, str) else message.content
    files = [
        {
            "type": part.kind,
            "filename": part.filename,
            "mime_type": part.mime_type,
            "size": len(part.content),
        }
        for part in parts
        if isinstance(part, MediaPart)
    ]
    told: dict[str, Any] = {"role": message.role, "text": message.text, "files": files}
    if message.tool_calls:
        calls = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in message.tool_calls]
        told["tool_calls"] = calls
    return told


def _tokens(text: str) -> int:
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1
