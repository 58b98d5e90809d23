"""What a workflow gets of a message. Pure: bytes in, values out, whatever the bytes are."""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import getaddresses, parsedate_to_datetime
from functools import cached_property
from itertools import islice
from typing import Any, cast

from schemas.charsets import codec
from streams.sources.email.html import html_text

MOST_TEXT_CHARS = 1 << 20
"""Of the text, and of the HTML."""

_MOST_PEOPLE = 1000
_MOST_ATTACHMENTS = 100
_MOST_REFERENCES = 100
_MOST_PARTS = 300
_MOST_HEADER_CHARS = 10_000
_MOST_PART_HEADER_CHARS = 1_000
_MOST_PART_HEADERS_CHARS = 200_000
"""Of all parts together; of what comes after them only what stands before its parameters is read."""
_MOST_PEOPLE_CHARS = 100_000
_PEOPLE = frozenset(("from", "to", "cc", "reply-to"))
_READ = frozenset(("subject", "date", "message-id", "in-reply-to", "references"))


class _Policy(EmailPolicy):
    """Of one message. The library takes the square of a header's length, which strangers choose, and does so
    each time that it is asked for it."""

    # Those of the library are of many messages, and refuse to be changed.
    __setattr__ = object.__setattr__

    _read_chars = 0
    """Of what describes parts."""

    @cached_property
    def _parsed(self) -> dict[tuple[str, str], Any]:
        """What describes parts, by name and value."""
        return {}

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        lower = name.lower()
        if lower in _PEOPLE:
            return name, value[:_MOST_PEOPLE_CHARS]
        if lower in _READ:
            return name, value[:_MOST_HEADER_CHARS]
        return name, self._cut(value) if lower.startswith("content-") else value

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """Without its parameters what describes a part, where the parser of headers stumbles over them."""
        if not name.lower().startswith("content-"):
            return super().header_fetch_parse(name, value)
        if (name, value) not in self._parsed:
            try:
                found = super().header_fetch_parse(name, value)
            except Exception:  # charsets that they cannot be in, pieces without a value, and more
                found = super().header_fetch_parse(name, value.partition(";")[0])
            self._parsed[name, value] = found
        return self._parsed[name, value]

    def _cut(self, value: str) -> str:
        value = value[:_MOST_PART_HEADER_CHARS]
        self._read_chars += len(value)
        return value.partition(";")[0] if self._read_chars > _MOST_PART_HEADERS_CHARS else value


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is a file."""

    filename: str | None
    mime_type: str
    content: bytes
    content_id: str
    """How the HTML refers to it; "" where it does not."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message."""

    body: dict[str, Any]
    """All but the files."""
    attachments: list[Attachment]


def parse_mail(content: bytes, *, whole: bool = True) -> Mail:
    """`whole`: False where the end is cut off; then the last part, which may be half a file, is left out."""
    message = cast(EmailMessage, message_from_bytes(content, policy=_Policy(max_line_length=None)))
    texts, attachments = _parts(message)
    html = texts.get("text/html", "")
    sender = _people(message, "From")
    body = {
        "message_id": _header(message, "Message-ID"),
        "from": sender[0] if sender else {"name": "", "address": ""},
        "to": _people(message, "To"),
        "cc": _people(message, "Cc"),
        "reply_to": _people(message, "Reply-To"),
        "subject": _header(message, "Subject"),
        "date": _date(message),
        "in_reply_to": _header(message, "In-Reply-To"),
        "references": _header(message, "References").split()[:_MOST_REFERENCES],
        "text": (texts.get("text/plain") or html_text(html[:MOST_TEXT_CHARS]))[:MOST_TEXT_CHARS],
        "html": html[:MOST_TEXT_CHARS],
        "is_whole": whole,
    }
    return Mail(body, attachments if whole else [])


def _parts(message: EmailMessage) -> tuple[dict[str, str], list[Attachment]]:
    """The first text of each type, and the files."""
    texts: dict[str, str] = {}
    attachments: list[Attachment] = []
    for part in islice(_leaves(message), _MOST_PARTS):
        kind = part.get_content_type()
        is_text = kind in ("text/plain", "text/html") and not _filename(part)
        if is_text and part.get_content_disposition() != "attachment":
            texts.setdefault(kind, _text(part))
        elif len(attachments) < _MOST_ATTACHMENTS:
            attachments.append(
                Attachment(_filename(part), kind, _content(part), _header(part, "Content-ID").strip("<>"))
            )
    return texts, attachments


def _leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    """A forwarded message is a file: its parts are not those of this one."""
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        yield message
        return
    for part in message.iter_parts():
        yield from _leaves(cast(EmailMessage, part))


def _text(part: EmailMessage) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        text = content.decode(codec(part.get_content_charset()), "replace")
    except (LookupError, ValueError):  # a charset that nobody knows
        text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\0", "")


def _content(part: EmailMessage) -> bytes:
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        inner = part.get_payload()
        return cast(EmailMessage, inner[0]).as_bytes() if isinstance(inner, list) and inner else b""
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _filename(part: EmailMessage) -> str | None:
    try:
        name = part.get_filename()
    except Exception:  # the parser of headers stumbles over some that are malformed
        return None
    return _clean(name) if name else None


def _header(message: EmailMessage, name: str) -> str:
    """Decoded, in one line; "" where there is none."""
    try:
        value = message.get(name)
    except Exception:  # likewise
        value = dict(message.raw_items()).get(name)
    return " ".join(_clean(str(value or "")).split())[:_MOST_HEADER_CHARS]


def _people(message: EmailMessage, name: str) -> list[dict[str, str]]:
    """Also of what the parser of headers does not take for addresses."""
    raw = next((str(value) for one, value in message.raw_items() if one.lower() == name.lower()), "")
    if len(raw) > _MOST_HEADER_CHARS:
        found = [(_decoded(who), where) for who, where in getaddresses([raw])]
    else:
        found = _few_people(message, name)
    people = [{"name": _clean(who), "address": _clean(where)} for who, where in found if where]
    return people[:_MOST_PEOPLE]


def _few_people(message: EmailMessage, name: str) -> list[tuple[str, str]]:
    header: Any = None
    try:
        header = message.get(name)
        return [(one.display_name, one.addr_spec) for one in header.addresses] if header else []
    except Exception:
        return getaddresses([_header(message, name)])


def _decoded(name: str) -> str:
    """RFC 2047."""
    try:
        return str(make_header(decode_header(name)))
    except (LookupError, ValueError):
        return name


def _date(message: EmailMessage) -> str | None:
    """RFC 3339, as its sender says; None where that is no date."""
    try:
        return parsedate_to_datetime(_header(message, "Date")).isoformat()
    except (ValueError, TypeError, OverflowError):
        return None


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which no JSON can hold, and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
